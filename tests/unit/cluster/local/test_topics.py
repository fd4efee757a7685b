"""The settings list all topics and groups; the stack and the docs follow."""

from pathlib import Path

import pytest

from cluster.local.topics import shapes_of
from integrations.settings import KafkaSettings

DOCS = Path(__file__).parents[4] / "docs"
KAFKA = KafkaSettings()
DAY_MS = 24 * 3_600_000


def test_every_topic_of_the_settings_is_listed() -> None:
    assert set(KAFKA.topics) == {"door-commands", "door-replies", "gym-events", "payment-events", "dead-letters"}
    renamed = KafkaSettings(payments_topic="payments-of-a-test")
    assert "payments-of-a-test" in renamed.topics
    assert set(KAFKA.subscriptions) == {
        ("door-consumers", "door-commands"),
        ("payment-consumers", "payment-events"),
        ("archive-consumers", "gym-events"),
    }


def test_a_stack_makes_every_topic() -> None:
    assert shapes_of(KAFKA).keys() == set(KAFKA.topics)


@pytest.mark.parametrize("topic", KAFKA.topics)
def test_the_pages_have_every_topic_as_it_is_made(topic: str) -> None:
    assert f"| `{topic}` |" in (DOCS / "architecture.md").read_text(encoding="utf-8")
    operations = " ".join((DOCS / "operations.md").read_text(encoding="utf-8").split())
    partitions, kept_ms = shapes_of(KAFKA)[topic]
    kept = f"{kept_ms // DAY_MS} days" if kept_ms >= DAY_MS else f"{24 * kept_ms // DAY_MS} hour"
    assert any(f"`{topic}` ({partitions}{word}, {kept})" in operations for word in ("", " partitions"))
