"""The nightly job of the archive: verifies closed days, compacts files, deletes old ones. One replica at a time."""

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from threading import Event

import structlog

from consumers.periodic_jobs import PeriodicJob
from domain.attendance.facts import FactTable
from domain.clock import Clock, system_clock
from domain.leases import LeaseLostError
from integrations.archive.delta_table import DeltaStore
from integrations.archive.verification import DayResult, Verification
from integrations.lease import Lease
from integrations.settings import ArchiveSettings

_log = structlog.get_logger(__name__)

# Events of a day may still be under way when it is over.
_CLOSES_AFTER = timedelta(minutes=30)


class ArchiveJob(PeriodicJob):
    """Keeps the archive correct and quick to read.

    A closed day is verified when its files have changed since it was verified. Once a day, the earlier days of facts
    that the database learned yesterday are verified too, though no event of them may have arrived.

    Args:
        lease: of the job.
        settings: of the archive.
        clock: the current time.
        monotonic, stopping: see `PeriodicJob`.

    Attributes:
        rewritten: days that differed from the database.
    """

    def __init__(
        self,
        lease: Lease,
        settings: ArchiveSettings,
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = time.monotonic,
        stopping: Event | None = None,
    ) -> None:
        super().__init__("archive", lease, settings.check_every_s, monotonic, stopping)
        self._archive = DeltaStore(settings)
        self._compact_above = settings.compact_above_files
        self._clock = clock
        self._verification = Verification(lease.store, self._archive, clock, self._go_on)
        self._done_for: date | None = None
        self.rewritten = 0

    def run_once(self) -> None:
        """Do what is due."""
        now = self._clock()
        first_open = (now - _CLOSES_AFTER).date()
        for table, day in self._verification.changed_days(first_open):
            self._verify(table, day)
        self._compact_open_days(now, first_open)
        if self._done_for == first_open:
            return
        for table, day in self._verification.late_days(first_open - timedelta(days=1)):
            self._verify(table, day)
        for table in FactTable:
            self._go_on()
            self._archive.vacuum(table)
        self._done_for = first_open

    def _verify(self, table: FactTable, day: date) -> None:
        result = self._verification.verify(table, day)
        self.rewritten += result.rewritten
        log_result(result)

    def _compact_open_days(self, now: datetime, first_open: date) -> None:
        """Merge the many small files of a day that is not over."""
        for table in FactTable:
            self._go_on()
            self._archive.refresh(table)
            for day, names in self._archive.files(table).items():
                if first_open <= day <= now.date() and len(names) > self._compact_above:
                    self._archive.compact(table, day)

    def _go_on(self) -> None:
        """Show that the job is alive, and stop when it must.

        Raises:
            LeaseLostError: another replica has the lease, or this one stops.
        """
        self._beat()
        if self._stopping.is_set() or not self._lease.is_held:
            raise LeaseLostError("the lease of the archive is lost, or the replica stops")


def log_result(result: DayResult) -> None:
    """Log a day that was changed."""
    if result.rewritten:
        _log.warning(
            "archive_day_rewritten",
            table=result.table.value,
            day=result.day.isoformat(),
            missing=result.missing,
            surplus=result.surplus,
            different=result.different,
        )
    elif result.compacted:
        _log.info("archive_day_compacted", table=result.table.value, day=result.day.isoformat(), facts=result.facts)
