"""Commands that destroy something or move money ask for confirmation; without a terminal they do nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cluster.cli.forked_command import at_a_terminal
from tests.unit.cluster.cli.served_gateway import ServedGateway, served


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[ServedGateway]:
    with served(tmp_path) as gateway:
        yield gateway


def asked(gateway: ServedGateway, typed: bytes, *words: str) -> tuple[int, str]:
    """What a command ends with, and what it says, when somebody types this."""
    return at_a_terminal(
        words, {"FITMONITOR_URL": gateway.url, "FITMONITOR_TOKEN": gateway.admin}, columns=200, typed=typed
    )


def test_no_cancels_the_command(gateway: ServedGateway) -> None:
    gym = gateway.harness.world.gym()
    code, said = asked(gateway, b"n\n", "gym", "delete", str(gym))
    assert code == 1
    assert "This will delete the gym Gym with its gates and devices. Continue? [y/N]" in said
    assert gateway.call("GET", f"/gyms/{gym}").status_code == 200


def test_yes_runs_the_command(gateway: ServedGateway) -> None:
    gym = gateway.harness.world.gym()
    code, said = asked(gateway, b"y\n", "gym", "delete", str(gym))
    assert code == 0
    assert "Gym is deleted." in said
    assert gateway.call("GET", f"/gyms/{gym}").status_code == 404


def test_money_is_taken_once_although_the_answers_are_lost(gateway: ServedGateway) -> None:
    world = gateway.harness.world
    member = world.newcomer("tom@example.org")
    sale = ("order", "desk", "tom@example.org", "30 days", "--method", "cash", "--yes", "--json")
    gateway.lose["POST /desk-payments"] = 2
    done = gateway.run(*sale)
    assert done.exit_code == 0, done.exception
    assert gateway.seen.count("POST /desk-payments") == 3
    orders = gateway.call("GET", f"/members/{member}/orders").json()["items"]
    assert len(orders) == 1
