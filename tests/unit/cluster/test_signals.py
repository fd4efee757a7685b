"""SIGINT and SIGTERM end every program of this package, even if its parent process ignores or blocks them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cluster.local.ports import free_port, is_free
from tests.unit.cluster.status.sample_reports import record

_FITMONITOR = Path(sys.executable).with_name("fitmonitor")
_WITHIN_S = 60.0
_INTERRUPTED = 130
# A program that starts another one, as a shell, `nohup` or a CI runner does.
_PARENT = """
import os, signal, sys
ignored, blocked = ({signal.Signals[name] for name in names.split(",") if name} for names in sys.argv[1:3])
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):  # the tests themselves may run under nohup
    signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
os.execv(sys.argv[3], sys.argv[3:])
"""
_IGNORED = ("SIGINT,SIGTERM", "")
_BLOCKED = ("", "SIGINT,SIGTERM")
_UNDER_NOHUP = ("SIGINT,SIGHUP", "")  # in a script's background
# What a process ignores and what it blocks of the two.
_TELL = """
from signal import *
ending = (SIGINT, SIGTERM)
print([+n for n in ending if getsignal(n) is SIG_IGN], [+n for n in ending if n in pthread_sigmask(SIG_BLOCK, ())])
"""
Inherited = tuple[str, str]


@contextmanager
def started(
    inherited: Inherited, words: Sequence[object], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """A program whose parent ignores the first of two sets of signals and blocks the second."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FITMONITOR_")}
    command = [sys.executable, "-c", _PARENT, *inherited, *map(str, words)]
    with subprocess.Popen(command, env={**clean, **environment}, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def wait_until(true: Callable[[], bool], child: subprocess.Popen[str]) -> None:
    give_up_at = time.monotonic() + _WITHIN_S
    while not true():
        assert child.poll() is None
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def signals(pid: int, which: str) -> set[signal.Signals]:
    """What Linux says of a process: the signals that it ignores (`SigIgn`) or has a handler for (`SigCgt`)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    mask = int(next(line.split()[1] for line in lines if line.startswith(f"{which}:")), 16)
    return {number for number in signal.Signals if mask >> (number - 1) & 1}


@pytest.mark.parametrize("inherited", [_IGNORED, _BLOCKED], ids=["ignored", "blocked"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_command_that_runs_forever_ends(
    inherited: Inherited, number: signal.Signals, code: int, tmp_path: Path
) -> None:
    record(tmp_path, port=9, addresses={"metrics": "127.0.0.1:9"}).write()
    words: Sequence[str | Path] = [_FITMONITOR, "status", "--watch", "0.2", "--json"]
    with started(inherited, words, {"FITMONITOR_DATA_DIR": str(tmp_path)}) as child:
        assert child.stdout is not None
        assert child.stdout.readline()
        child.send_signal(number)
        assert child.wait(_WITHIN_S) == code


@pytest.mark.parametrize(
    ("inherited", "number"),
    [(_IGNORED, signal.SIGTERM), (_BLOCKED, signal.SIGINT), (_UNDER_NOHUP, signal.SIGINT)],
    ids=["ignored", "blocked", "nohup"],
)
def test_a_stack_ends_but_not_with_its_terminal_under_nohup(
    inherited: Inherited, number: signal.Signals, tmp_path: Path
) -> None:
    environment = {"FITMONITOR_DATA_DIR": str(tmp_path), "FITMONITOR_PORT": str(free_port())}
    with started(inherited, [_FITMONITOR, "up"], environment) as child:
        wait_until(lambda: {signal.SIGINT, signal.SIGTERM} <= signals(child.pid, "SigCgt"), child)
        wait_until(lambda: signal.SIGHUP in signals(child.pid, "SigCgt") | signals(child.pid, "SigIgn"), child)
        assert (signal.SIGHUP in signals(child.pid, "SigIgn")) == (inherited is _UNDER_NOHUP)
        child.send_signal(number)
        assert child.wait(_WITHIN_S) == _INTERRUPTED
    assert [process for process in psutil.process_iter(["environ"]) if _is_of(process, tmp_path)] == []


def _is_of(process: psutil.Process, folder: Path) -> bool:
    return (process.info["environ"] or {}).get("FITMONITOR_DATA_DIR") == str(folder)


def programs(folder: Path, port: int) -> Mapping[str, tuple[Sequence[str], Callable[[], bool]]]:
    """The arguments of servers that a stack starts, and how each is known to serve."""
    address = folder / "address"
    return {
        "mock_broker": ([str(address)], address.exists),
        "mail_server": ([str(port), str(folder / "mail")], lambda: not is_free(port)),
        "stripe_sandbox": ([str(port), str(folder / "sandbox")], lambda: not is_free(port)),
    }


@pytest.mark.parametrize(
    ("inherited", "number"), [(_IGNORED, signal.SIGINT), (_BLOCKED, signal.SIGTERM)], ids=["ignored", "blocked"]
)
@pytest.mark.parametrize("name", ["mock_broker", "mail_server", "stripe_sandbox"])
def test_a_server_of_a_stack_ends_in_order(
    inherited: Inherited, number: signal.Signals, name: str, tmp_path: Path
) -> None:
    words, serves = programs(tmp_path, free_port())[name]
    environment = {
        "FITMONITOR_STRIPE__API_KEY": "sk_test_1",
        "FITMONITOR_STRIPE__WEBHOOK_SECRET": "whsec_1",
        "FITMONITOR_STRIPE__WEBHOOK_URL": "http://127.0.0.1:1/hook",
    }
    with started(inherited, [sys.executable, "-m", f"cluster.local.{name}", *words], environment) as child:
        wait_until(serves, child)
        child.send_signal(number)
        assert child.wait(_WITHIN_S) == 0


@pytest.mark.parametrize("inherited", [_IGNORED, _BLOCKED], ids=["ignored", "blocked"])
def test_what_a_program_starts_inherits_neither(inherited: Inherited) -> None:
    end_and_start = f"""
import subprocess
from cluster.signals import end_on_signals
end_on_signals()
subprocess.run([{sys.executable!r}, "-c", {_TELL!r}], check=True)
"""
    with started(inherited, [sys.executable, "-c", _TELL], {}) as child:
        assert child.communicate(timeout=_WITHIN_S)[0].strip() != "[] []"
    with started(inherited, [sys.executable, "-c", end_and_start], {}) as child:
        assert child.communicate(timeout=_WITHIN_S)[0].strip() == "[] []"


@pytest.mark.parametrize("ends", [True, False], ids=["with", "without"])
def test_a_signal_that_arrives_while_an_object_is_finalized_is_not_lost(ends: bool) -> None:  # noqa: FBT001
    """As a connection's `__del__` may run when somebody presses Ctrl-C: Python drops what a finalizer raises."""
    program = f"""
import signal, time
from cluster.signals import end_on_signals
if {ends}:
    end_on_signals()
else:
    signal.signal(signal.SIGINT, signal.default_int_handler)

class Garbage:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

try:
    Garbage()
    time.sleep({_WITHIN_S if ends else 0.2})
except KeyboardInterrupt:
    raise SystemExit({_INTERRUPTED})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == (_INTERRUPTED if ends else 0), done.stderr
