"""What a backup of years costs, what the doors notice of it, and what its restore costs: MariaDB, the full profile.

Run `python -m tests.benchmarks.backups [VISITS] [SCANS_A_SECOND]`, 1,000,000 and 100 by default; it takes some ten
minutes and five gigabytes in the folder of temporary files. Every visit has its two scans, and every membership its
ledger.
"""
# ruff: noqa: S608 - nothing that somebody else wrote goes into these statements

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from rich.console import Console
from rich.status import Status
from sqlalchemy import text

from cluster.backup.reader import opened_backup
from cluster.load.benchmark.measured_stack import MeasuredStack
from cluster.load.benchmark.own_stack import larger_buffer_pool
from cluster.load.benchmark.traffic import ScanTraffic
from cluster.load.figures import percentile
from cluster.load.generator import Answer
from cluster.load.past_visits import Past, some_members, write_past
from cluster.load.scans import ScanWriter
from domain.clock import system_clock
from domain.memberships.ledger import EntryKind
from domain.unit_of_work import Store
from integrations.settings import Settings
from tests.stacks import TestedStack

MEMBERS, SCANNING, GYMS = 50_000, 10_000, 10
LANES, WINDOW_S, CALM_WINDOWS = 64, 10.0, 4
BUFFER_POOL = 1 << 30
SEED, REFUSED = 1, 0.1
FITMONITOR = Path(sys.executable).with_name("fitmonitor")

_NO_LEDGER = "id NOT IN (SELECT membership_id FROM ledger_entries WHERE membership_id IS NOT NULL)"
_WHOLE_DAYS = f"UPDATE memberships SET starts_at = DATE(starts_at), ends_at = DATE(ends_at) WHERE {_NO_LEDGER}"
_LEDGER = f"""INSERT INTO ledger_entries (id, booking_id, number, member_id, membership_id, kind, from_day, until_day,
 days, moves, booked_on, reason, created_at) SELECT id, id, 1, member_id, id, '{EntryKind.OPENING}', DATE(starts_at),
 DATE(ends_at), DATEDIFF(ends_at, starts_at), 0, DATE(starts_at), 'held before', created_at FROM memberships
 WHERE {_NO_LEDGER}"""


@dataclass
class Process:
    """A command under way, and the most memory it was seen to hold."""

    child: subprocess.Popen[bytes]
    began: float
    seen: psutil.Process
    most: int = 0
    cpu_s: float = 0.0

    @staticmethod
    def of(words: Sequence[str], environment: Mapping[str, str]) -> "Process":
        child = subprocess.Popen([FITMONITOR, *words], env=environment, start_new_session=True)
        return Process(child, time.monotonic(), psutil.Process(child.pid))

    def is_over(self) -> bool:
        """Looks at it once more."""
        with suppress(psutil.Error):
            self.most = max(self.most, self.seen.memory_info().rss)
            times = self.seen.cpu_times()
            self.cpu_s = times.user + times.system
        return self.child.poll() is not None

    def end(self) -> str:
        """Wait for it; what it cost."""
        while not self.is_over():
            time.sleep(0.1)
        assert self.child.returncode == 0, self.child.returncode
        took = time.monotonic() - self.began
        return f"{took:.0f} s, {self.cpu_s:.0f} s CPU of its own, at most {self.most / 2**20:.0f} MiB"


@dataclass
class Doors:
    """Scans offered steadily, a window after the other."""

    traffic: ScanTraffic
    rate: float

    def window(self) -> list[Answer]:
        """One window's answers."""
        offered, driven = self.traffic.offer(self.rate, LANES, WINDOW_S)
        assert not offered["errors"], offered
        assert not offered["wrong_answers"], offered
        return [answer for lane in driven.lanes for answer in lane]


def figures(answers: Sequence[Answer]) -> str:
    took = sorted(1000 * answer.latency for answer in answers)
    p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
    return f"{len(took):,} scans, p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {took[-1]:.0f} ms"


def measure(stack: TestedStack, folder: Path, past: Past, rate: float) -> None:
    console = Console(highlight=False, soft_wrap=True)
    settings = Settings(data_dir=stack.data_dir)
    store = Store(stack.record.environment["FITMONITOR_DATABASE__URL"], pool_size=1, statement_timeout_s=300)
    writer = ScanWriter.of_stack(settings, f"127.0.0.1:{stack.port}")
    measured = MeasuredStack(
        stack.record, store, writer, Status("", console=console), WINDOW_S, SEED, REFUSED, has_past=True
    )
    with larger_buffer_pool(stack.data_dir, BUFFER_POOL):
        whole = measured.seed(gyms=GYMS, members=0, capacity=SCANNING)
        url = store.engine.url.render_as_string(hide_password=False)
        written = write_past(url, whole, past, system_clock())
        with store.writing() as connection:
            connection.execute(text(_WHOLE_DAYS))
            connection.execute(text(_LEDGER))
        console.print(f"written in {written.seconds:.0f} s: {written.rows}")
        scanning = replace(whole, members=some_members(past, min(SCANNING, past.members), SEED))
        doors = Doors(ScanTraffic(measured, scanning), rate)
        doors.window()
        calm = [answer for _ in range(CALM_WINDOWS) for answer in doors.window()]
        console.print(f"calm, {rate:.0f}/s: {figures(calm)}")
        file = folder / "years.fitmonitor"
        backup = Process.of(["backup", str(file)], stack.environment)
        meanwhile: list[Answer] = []
        while not backup.is_over():
            answers = doors.window()
            if not backup.is_over() or not meanwhile:
                meanwhile += answers  # a window in which it ended would flatter
        console.print(f"during a backup: {figures(meanwhile)}")
        console.print(f"backup: {backup.end()}; {file.stat().st_size / 1e6:,.0f} MB")
        after = [answer for _ in range(CALM_WINDOWS) for answer in doors.window()]
        console.print(f"calm again: {figures(after)}")
        alone = Process.of(["backup", str(folder / "alone.fitmonitor")], stack.environment)
        console.print(f"backup, nobody at the doors: {alone.end()}")
    store.close()
    with opened_backup(file) as backed:
        console.print(f"{backed.manifest.rows:,} rows")


def restore(folder: Path, environment: Mapping[str, str]) -> None:
    file = folder / "alone.fitmonitor"
    checked = Process.of(["restore", str(file), "--check"], environment)
    sys.stdout.write(f"restore --check: {checked.end()}\n")
    restored = Process.of(["restore", str(file)], environment)
    sys.stdout.write(f"restore into MariaDB: {restored.end()}\n")
    embedded = {**environment, "FITMONITOR_PROFILE": "embedded", "FITMONITOR_DATA_DIR": str(folder / "embedded")}
    restored = Process.of(["restore", str(file)], embedded)
    sys.stdout.write(f"restore into SQLite: {restored.end()}\n")
    sys.stdout.flush()


def main() -> None:
    visits = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else 100.0
    bounds = {"FITMONITOR_CONSUMERS__MIN": "1", "FITMONITOR_CONSUMERS__MAX": "1"}
    with tempfile.TemporaryDirectory(prefix="backups-") as name:
        folder = Path(name)
        stack = TestedStack(folder, profile="full", environment=bounds)
        stack.start()
        try:
            measure(stack, folder, Past(MEMBERS, visits, visits), rate)
        finally:
            stack.down()
        restore(folder, {**stack.environment, "FITMONITOR_DATA_DIR": str(folder / "restored")})


if __name__ == "__main__":
    assert os.environ.get("FITMONITOR_DATABASE__URL") is None, "it starts a stack of its own"
    main()
