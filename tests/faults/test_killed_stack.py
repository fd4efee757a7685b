"""Everything ends at once while doors scan, and starts again on the same data."""

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.clock import system_clock
from domain.unit_of_work import Store
from integrations.settings import Profile
from tests.faults.figures import Figures
from tests.faults.full_stack.full_stack import assert_nothing_lost, doors_of
from tests.faults.gyms import load
from tests.stacks import TestedStack, living

pytestmark = [pytest.mark.soak("deaths"), pytest.mark.timeout(900)]

# The mock broker's death is a test of `tests/integration/cluster/test_two_stacks.py`.
SERVERS = {Profile.EMBEDDED: [], Profile.FULL: ["MariaDB", "Kafka"]}


@pytest.fixture(params=[Profile.EMBEDDED, Profile.FULL])
def stack(request: pytest.FixtureRequest) -> Iterator[TestedStack]:
    # Not pytest's own temporary folder: that is closed to the user that MariaDB runs as.
    folder = Path(tempfile.mkdtemp(prefix="fm-dies-"))
    folder.chmod(0o711)
    tested = TestedStack(folder, profile=request.param)
    try:
        yield tested
    finally:
        tested.down()
        shutil.rmtree(folder, ignore_errors=True)


def store_of(stack: TestedStack) -> Store:
    file = stack.data_dir / "fitmonitor.sqlite3"
    return Store(stack.record.environment.get("FITMONITOR_DATABASE__URL") or f"sqlite:///{file}", pool_size=1)


def kill_everything(stack: TestedStack) -> None:
    processes = stack.processes()
    stack.send(signal.SIGKILL)  # first the supervisor, which would start them again
    for process in processes:
        process.kill()
    assert living(processes) == []


def test_no_acknowledged_scan_is_lost_however_the_stack_ends(stack: TestedStack, figures: Figures) -> None:
    stack.start()
    store = store_of(stack)
    with store.writing() as connection:
        gyms = load(connection, system_clock())
    store.close()
    with doors_of(stack, gyms) as doors:
        doors.wait_decided(doors.began_at, 150)

        ended_at = time.monotonic()
        kill_everything(stack)
        before = list(doors.decided)
        stack.start()
        first_at = doors.wait_decided(time.monotonic())
        figures.tell("SIGKILL of everything: next decision after, s", first_at - ended_at)
        doors.wait_decided(first_at, 150)

        ended_at = time.monotonic()
        assert stack.send(signal.SIGINT) == 0, stack.said()
        stopped_after = time.monotonic() - ended_at
        stack.start()
        first_at = doors.wait_decided(time.monotonic())
        figures.tell("Ctrl-C: stopped after, s", stopped_after)
        figures.tell("Ctrl-C: next decision after, s", first_at - ended_at)
        doors.wait_decided(first_at, 150)

        for name in SERVERS[Profile(stack.record.profile)]:
            server = stack.record.processes[name].find()
            assert server is not None
            killed_at = time.monotonic()
            server.kill()
            living([server])
            first_at = doors.wait_decided(time.monotonic() + 1)
            figures.tell(f"{name} killed: next decision after, s", first_at - killed_at)
            doors.wait_decided(first_at, 100)
    figures.of(doors, doors.began_at, doors.ended_at)
    assert all(answer.replayed for answer in doors.ask_again(before[-80:]))
    store = store_of(stack)
    assert_nothing_lost(store, doors)
    store.close()
