import re

from integrations.metrics import METRICS
from tests.documented.pages import PROJECT

DOCUMENT = PROJECT / "docs" / "operations.md"


def test_every_alarm_is_about_a_metric_that_there_is() -> None:
    spoken_of = set(re.findall(r"fitmonitor_\w+", DOCUMENT.read_text(encoding="utf-8")))
    assert spoken_of - {metric.name for metric in METRICS} == set()


def test_every_count_of_something_lost_has_an_alarm() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    lost = [metric.name for metric in METRICS if re.search(r"lost|dead|failed|late_|lag|oldest|active", metric.name)]
    assert [name for name in lost if name not in text and name != "fitmonitor_outbox_lag"] == []
