"""What destroys or moves money asks first, at a terminal; without one it does nothing."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cluster.served_gateway import ServedGateway, served

_FITMONITOR = Path(sys.executable).with_name("fitmonitor")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[ServedGateway]:
    with served(tmp_path) as gateway:
        yield gateway


def at_a_terminal(gateway: ServedGateway, typed: str, *words: str) -> tuple[int, str]:
    """What a command ends with, and what it says, when somebody types this."""
    terminal, end = pty.openpty()
    environment = os.environ | {"FITMONITOR_URL": gateway.url, "FITMONITOR_TOKEN": gateway.admin}
    with subprocess.Popen(
        [_FITMONITOR, *words], env=environment, stdin=end, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as started:
        os.close(end)
        os.write(terminal, typed.encode())
        said, _ = started.communicate(timeout=60)
    os.close(terminal)
    return started.returncode, said.decode()


def test_somebody_who_says_no_loses_nothing(gateway: ServedGateway) -> None:
    gym = gateway.rig.world.gym()
    code, said = at_a_terminal(gateway, "n\n", "gym", "delete", str(gym))
    assert code == 1
    assert "This will delete the gym Gym with its gates and devices. Go on? [y/N]" in said
    assert gateway.call("GET", f"/gyms/{gym}").status_code == 200


def test_somebody_who_says_yes_gets_it_done(gateway: ServedGateway) -> None:
    gym = gateway.rig.world.gym()
    code, said = at_a_terminal(gateway, "y\n", "gym", "delete", str(gym))
    assert code == 0
    assert "Gym is deleted." in said
    assert gateway.call("GET", f"/gyms/{gym}").status_code == 404


def test_money_is_taken_once_although_the_answers_are_lost(gateway: ServedGateway) -> None:
    world = gateway.rig.world
    member = world.newcomer("tom@example.org")
    sale = ("order", "desk", "tom@example.org", "30 days", "--method", "cash", "--yes", "--json")
    gateway.lose["POST /desk-payments"] = 2
    done = gateway.run(*sale)
    assert done.exit_code == 0, done.exception
    assert gateway.seen.count("POST /desk-payments") == 3
    orders = gateway.call("GET", f"/members/{member}/orders").json()["items"]
    assert len(orders) == 1
