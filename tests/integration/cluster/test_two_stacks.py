"""Two stacks on one machine, side by side. What a stack opens and says is tested in `tests/e2e/test_local_stack.py`."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stacks import STARTS_WITHIN_S, TestedStack
from tests.waiting import wait_until

pytestmark = [pytest.mark.soak("deaths"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stacks() -> Iterator[tuple[TestedStack, TestedStack]]:
    folder = Path(tempfile.mkdtemp(prefix="fm-two-"))
    pair = []
    for name in ("one", "other"):
        (folder / name).mkdir()
        pair.append(TestedStack(folder / name))
    try:
        for stack in pair:
            stack.launch()
        for stack in pair:
            stack.wait_ready()
        yield pair[0], pair[1]
    finally:
        for stack in pair:
            stack.down()
        shutil.rmtree(folder, ignore_errors=True)


def test_both_answer_on_their_own_ports(stacks: tuple[TestedStack, TestedStack]) -> None:
    one, other = stacks
    assert one.port != other.port
    assert one.is_ready
    assert other.is_ready
    assert one.demo() != other.demo()


def test_an_idle_stack_takes_at_most_1800_mib_of_memory(stacks: tuple[TestedStack, TestedStack]) -> None:
    done = stacks[0].run("status", "--json")
    assert done.returncode == 0, done.stderr
    # Eleven replicas: the scanner (decision 0029) takes 120 of them, the archive 150.
    assert 0 < json.loads(done.stdout)["pss_mib"] < 1800


def test_a_broker_that_died_is_replaced_and_the_door_works_again(stacks: tuple[TestedStack, TestedStack]) -> None:
    _, other = stacks
    broker = other.record.processes["mock broker"].find()
    assert broker is not None

    broker.kill()

    wait_until(lambda: other.times_ready() == 2, STARTS_WITHIN_S, other.said)
    assert other.is_ready
    assert other.record.processes["mock broker"].pid != broker.pid
    assert stacks[0].is_ready
