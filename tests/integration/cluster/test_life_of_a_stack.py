"""One stack through starts, kills and stops."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cluster.local.stack_record import read_record
from tests.stacks import STARTS_WITHIN_S, TestedStack, living
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def stack() -> Iterator[TestedStack]:
    folder = Path(tempfile.mkdtemp(prefix="fm-life-"))
    tested = TestedStack(folder)
    try:
        yield tested
    finally:
        tested.down()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.check
def test_a_stack_leaves_no_process_and_keeps_its_data_however_it_ends(stack: TestedStack) -> None:
    stack.start()
    first_demo, processes = stack.demo(), stack.processes()
    assert len(processes) > 5
    assert stack.send(signal.SIGKILL) == -signal.SIGKILL

    # Straight away, beside what the killed one left.
    stack.start()
    assert "left behind" in stack.said()
    assert living(processes) == []
    assert stack.is_ready
    assert stack.demo() == first_demo
    processes = stack.processes()

    assert stack.send(signal.SIGINT) == 0, stack.said()
    assert living(processes) == []
    assert not (stack.data_dir / "stack.json").exists()
    assert (stack.data_dir / "logs" / "ray-session" / "serve").is_dir()


@pytest.mark.soak("deaths")
def test_whatever_a_killed_stack_left_the_next_one_starts(stack: TestedStack) -> None:
    stack.launch()
    stack.wait_said("mock broker")
    assert stack.send(signal.SIGTERM) == 130, "a start is called off"
    assert stack.run("down").stdout.startswith("no stack is running")

    stack.start()
    demo, processes, run_dir = stack.demo(), stack.processes(), stack.record.run_dir
    assert stack.send(signal.SIGKILL) == -signal.SIGKILL
    assert stack.run("status").returncode == 1
    done = stack.down()
    assert done.returncode == 0, done.stderr
    assert "leftovers of a killed stack" in done.stdout
    assert "Ray" in done.stdout
    assert living(processes) == []
    assert not run_dir.exists()

    stack.start()
    assert stack.demo() == demo
    processes = stack.processes()
    for process in reversed(processes):
        process.kill()
    stack.send(signal.SIGKILL)

    stack.launch()
    suspend_managers(stack)
    stack.wait_ready()
    assert "restarting Ray" in stack.said()
    assert stack.is_ready
    assert stack.demo() == demo


def test_down_where_nothing_is_up_is_no_failure(stack: TestedStack) -> None:
    done = stack.down()
    assert done.returncode == 0
    assert "no stack is running" in done.stdout


def suspend_managers(stack: TestedStack) -> None:
    """Let HAProxy's managers hang as soon as they are there: a moment later they have spawned it."""
    found: list[psutil.Process] = []

    def are_there() -> bool:
        found[:] = managers(stack)
        return bool(found)

    wait_until(are_there, STARTS_WITHIN_S, stack.said, every_s=0.05)
    for manager in found:
        manager.suspend()


def managers(stack: TestedStack) -> list[psutil.Process]:
    record = read_record(stack.data_dir)
    starting = record.members() if record is not None else []
    return [process for process in starting if title(process).startswith("ray::HAProxyManager")]


def title(process: psutil.Process) -> str:
    try:
        return (process.cmdline() or [""])[0]
    except psutil.Error:
        return ""
