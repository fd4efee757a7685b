import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cluster.errors import CommandError
from cluster.local.process import ChildProcess, ProcessId, session_members, terminate_all, wait_gone

_SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
# Leaves a child behind that outlives it, as a server that is killed does.
_PARENT = [sys.executable, "-c", f"import subprocess, time; subprocess.Popen({_SLEEP!r}); time.sleep(60)"]


@pytest.fixture
def child(tmp_path: Path) -> Iterator[ChildProcess]:
    process = ChildProcess("sleeper", _SLEEP, tmp_path / "log", stop_timeout_s=5)
    yield process
    process.kill()


def test_a_reused_pid_is_another_process() -> None:
    own = ProcessId.of(os.getpid())
    assert own.find() is not None
    assert ProcessId(own.pid, own.created - 3600).find() is None


def test_a_zombie_counts_as_ended() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    zombie = psutil.Process(ended.pid)
    assert wait_gone([zombie], 10) == []
    assert zombie.status() == psutil.STATUS_ZOMBIE
    ended.wait()


def test_children_of_a_killed_process_are_found_by_their_session(child: ChildProcess) -> None:
    child.command = _PARENT
    child.start()
    while len(session_members([child.identity])) < 2:
        time.sleep(0.02)
    os.kill(child.identity.pid, signal.SIGKILL)
    while child.is_running:
        time.sleep(0.02)

    left = session_members([child.identity])

    assert len(left) == 1
    terminate_all(left, timeout_s=5)
    assert session_members([child.identity]) == []


def test_a_later_session_with_the_same_number_is_not_ours(child: ChildProcess) -> None:
    child.start()
    ours = child.identity
    assert session_members([ProcessId(ours.pid, ours.created - 3600)]) == []
    assert [process.pid for process in session_members([ours])] == [ours.pid]


def test_a_stop_also_ends_the_children_of_the_process(child: ChildProcess) -> None:
    child.command = _PARENT
    child.start()
    while len(session_members([child.identity])) < 2:
        time.sleep(0.02)
    child.stop()
    assert session_members([child.identity]) == []
    assert child.exit_code == -signal.SIGTERM


def test_a_process_that_ignores_sigterm_is_killed(child: ChildProcess, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    deaf = f"import signal, time, pathlib; signal.signal(15, signal.SIG_IGN); pathlib.Path({str(ready)!r}).touch()"
    child.command = [sys.executable, "-c", f"{deaf}; time.sleep(60)"]
    child.stop_timeout_s = 0.2
    child.start()
    child.wait_until(ready.exists, timeout_s=10)
    child.stop()
    assert child.exit_code == -signal.SIGKILL


def test_an_error_has_the_last_log_line_and_names_the_log(child: ChildProcess) -> None:
    child.command = [sys.executable, "-c", "print('first'); print('the disk is full'); raise SystemExit(3)"]
    child.start()
    with pytest.raises(CommandError, match=r"sleeper ended: the disk is full: read .*log"):
        child.wait_until(lambda: False, timeout_s=10)


def test_a_wait_for_a_child_can_be_cancelled(child: ChildProcess) -> None:
    child.start()
    child.wait_cancelled.set()
    with pytest.raises(CommandError, match="cancelled"):
        child.wait_until(lambda: False, timeout_s=10)


def test_a_start_that_takes_too_long_is_an_error(child: ChildProcess) -> None:
    child.start()
    with pytest.raises(CommandError, match="not ready after 0 s"):
        child.wait_until(lambda: False, timeout_s=0.1)
