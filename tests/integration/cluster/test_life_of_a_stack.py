"""One stack through starts, kills and stops."""

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.stacks import STARTS_WITHIN_S, TestedStack, living

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


def test_a_stack_leaves_no_process_and_keeps_its_data_however_it_ends(stack: TestedStack) -> None:
    stack.start()
    first_demo, processes, run_dir = stack.demo(), stack.processes(), stack.record.run_dir
    assert len(processes) > 5

    assert stack.send(signal.SIGKILL) == -signal.SIGKILL
    assert stack.run("status").returncode == 1
    done = stack.down()
    assert done.returncode == 0, done.stderr
    assert "left behind" in done.stdout
    assert "Ray" in done.stdout
    assert living(processes) == []
    assert not run_dir.exists()

    stack.start()
    assert stack.is_ready
    assert stack.demo() == first_demo
    processes = stack.processes()
    for process in reversed(processes):
        process.kill()
    stack.send(signal.SIGKILL)

    stack.start()
    assert stack.is_ready
    assert stack.demo() == first_demo
    processes = stack.processes()
    stack.send(signal.SIGKILL)

    # Straight away, beside what the killed one left.
    stack.start()
    assert "left behind" in stack.said()
    assert living(processes) == []
    processes = stack.processes()

    assert stack.send(signal.SIGINT) == 0, stack.said()
    assert living(processes) == []
    assert not (stack.data_dir / "stack.json").exists()
    assert (stack.data_dir / "logs" / "ray-session" / "serve").is_dir()


def test_a_start_that_is_called_off_leaves_nothing(stack: TestedStack) -> None:
    stack.launch()
    while "mock broker" not in stack.said():
        pass
    assert stack.send(signal.SIGTERM) == 130
    assert stack.run("down").stdout.startswith("no stack is up")


def test_down_where_nothing_is_up_is_no_failure(stack: TestedStack) -> None:
    done = stack.down()
    assert done.returncode == 0
    assert "no stack is up" in done.stdout


def test_a_haproxy_manager_that_hangs_while_starting_is_replaced(stack: TestedStack) -> None:
    stack.launch()
    deadline = time.monotonic() + STARTS_WITHIN_S
    while not (managers := [p for p in starting(stack) if title(p).startswith("ray::HAProxyManager")]):
        assert time.monotonic() < deadline, stack.said()
        time.sleep(0.05)
    for manager in managers:
        manager.suspend()
    stack.wait_ready()
    assert "Ray is started anew" in stack.said()
    assert stack.is_ready


def starting(stack: TestedStack) -> list[psutil.Process]:
    return stack.processes() if (stack.data_dir / "stack.json").exists() else []


def title(process: psutil.Process) -> str:
    try:
        return (process.cmdline() or [""])[0]
    except psutil.Error:
        return ""
