"""What is archived: facts, each with its whole state. Pure.

A change of a fact is one more fact with the same key. The day of a fact is a day in UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from domain.door.events import (
    DoorEvent,
    HeadsCounted,
    MachineFreed,
    MachineUsed,
    MachineUseResumed,
    OfflineScanRecorded,
    ScanAnnulled,
    ScanChanged,
    ScanDecided,
    ScanState,
    VisitChanged,
    VisitInferred,
    VisitReopened,
)
from domain.door.model import Outcome


class FactTable(StrEnum):
    """The tables of the archive."""

    VISITS = "visits"
    SCANS = "scans"
    MACHINE_USES = "machine_uses"
    HEAD_COUNTS = "head_counts"


@dataclass(frozen=True, slots=True)
class VisitFact:
    """A visit.

    Args:
        left_at: None: still inside.
        inferred: why it ended without a scan of its own.
    """

    table: ClassVar[FactTable] = FactTable.VISITS

    id: UUID
    gym_id: UUID
    member_id: UUID | None
    entered_at: datetime
    left_at: datetime | None
    inferred: str | None
    annulled: bool

    @property
    def day(self) -> date:
        """The day on which it began."""
        return day_of(self.entered_at)


@dataclass(frozen=True, slots=True)
class ScanFact:
    """A scan.

    Args:
        scanned_at: by the device's clock; of an offline scan the time when it was made, which its code bounds.
        repeat: whether the answer of an earlier scan was given again.
    """

    table: ClassVar[FactTable] = FactTable.SCANS

    id: UUID
    gym_id: UUID
    gate_id: UUID | None
    member_id: UUID | None
    outcome: str
    reason: str | None
    offline: bool
    scanned_at: datetime | None
    arrived_at: datetime
    decided_at: datetime
    visit_id: UUID | None
    repeat: bool
    annulled: bool

    @property
    def day(self) -> date:
        """The day on which it was decided, or made without the server."""
        return day_of(self.scanned_at if self.offline and self.scanned_at is not None else self.decided_at)


@dataclass(frozen=True, slots=True)
class MachineUseFact:
    """A use of a machine.

    Args:
        ended_at: None: still in use.
        inferred: why it ended without a release by the member.
    """

    table: ClassVar[FactTable] = FactTable.MACHINE_USES

    id: UUID
    gym_id: UUID
    machine_id: UUID
    member_id: UUID | None
    started_at: datetime
    ended_at: datetime | None
    inferred: str | None
    annulled: bool = False

    @property
    def day(self) -> date:
        """The day on which it began."""
        return day_of(self.started_at)


@dataclass(frozen=True, slots=True)
class HeadCountFact:
    """A head count, with the occupancy before it."""

    table: ClassVar[FactTable] = FactTable.HEAD_COUNTS

    id: UUID
    gym_id: UUID
    before: int
    counted: int
    counted_at: datetime
    member_id: None = None
    annulled: bool = False

    @property
    def day(self) -> date:
        """The day on which heads were counted."""
        return day_of(self.counted_at)


ArchivedFact = VisitFact | ScanFact | MachineUseFact | HeadCountFact


def day_of(moment: datetime) -> date:
    """The day of a moment in UTC."""
    return moment.astimezone(UTC).date()


def facts_of(event: DoorEvent) -> Sequence[ArchivedFact] | None:
    """The facts that an event of the door states.

    A fact that moves to another day is annulled on its former day.

    Returns:
        None when an older version wrote the event, without what the facts need.
    """
    match event:
        case ScanDecided():
            return _of_decision(event)
        case OfflineScanRecorded():
            return _of_upload(event)
        case ScanAnnulled(scan=ScanState() as state) | ScanChanged(scan=state):
            return [_of_scan(event.gym_id, state)]
        case VisitInferred() | VisitReopened() | VisitChanged():
            return _of_visit(event)
        case MachineUsed() | MachineUseResumed() | MachineFreed():
            return _of_use(event)
        case HeadsCounted():
            return [HeadCountFact(event.event_id, event.gym_id, event.before, event.counted, event.counted_at)]
    return None


def _of_decision(event: ScanDecided) -> Sequence[ArchivedFact] | None:
    if event.repeat is None:
        return None
    scan = ScanFact(
        event.event_id,
        event.gym_id,
        event.gate_id,
        event.member_id,
        event.outcome,
        event.reason,
        offline=False,
        scanned_at=event.scanned_at,
        arrived_at=event.arrived_at,
        decided_at=event.decided_at,
        visit_id=event.visit_id,
        repeat=event.repeat,
        annulled=False,
    )
    if event.entered_at is None or event.visit_id is None:
        return [scan]
    left_at = event.decided_at if event.outcome is Outcome.LEFT else None
    visit = VisitFact(
        event.visit_id, event.gym_id, event.member_id, event.entered_at, left_at, inferred=None, annulled=False
    )
    return [scan, visit]


def _of_upload(event: OfflineScanRecorded) -> Sequence[ArchivedFact] | None:
    if event.arrived_at is None or event.annulled is None:
        return None
    scan = ScanFact(
        event.scan,
        event.gym_id,
        event.gate_id,
        event.member_id,
        event.outcome,
        None,
        offline=True,
        scanned_at=event.occurred_at,
        arrived_at=event.arrived_at,
        decided_at=event.recorded_at,
        visit_id=event.visit_id,
        repeat=False,
        annulled=event.annulled,
    )
    if event.was_decided_at is None or day_of(event.was_decided_at) == scan.day:
        return [scan]
    return [replace(scan, offline=False, decided_at=event.was_decided_at, annulled=True), scan]


def _of_scan(gym_id: UUID, state: ScanState) -> ScanFact:
    return ScanFact(
        state.id,
        gym_id,
        state.gate_id,
        state.member_id,
        state.outcome,
        state.reason,
        state.offline,
        state.scanned_at,
        state.arrived_at,
        state.decided_at,
        state.visit_id,
        state.repeat,
        state.annulled,
    )


def _of_visit(event: VisitInferred | VisitReopened | VisitChanged) -> Sequence[ArchivedFact] | None:
    if event.entered_at is None:
        return None
    left_at = None if isinstance(event, VisitReopened) else event.left_at
    inferred = None if isinstance(event, VisitReopened) else event.inferred
    annulled = isinstance(event, VisitChanged) and event.annulled
    visit = VisitFact(event.visit_id, event.gym_id, event.member_id, event.entered_at, left_at, inferred, annulled)
    was_entered_at = event.was_entered_at if isinstance(event, VisitChanged) else None
    if was_entered_at is None or day_of(was_entered_at) == visit.day:
        return [visit]
    return [replace(visit, entered_at=was_entered_at, annulled=True), visit]


def _of_use(event: MachineUsed | MachineUseResumed | MachineFreed) -> Sequence[ArchivedFact] | None:
    if event.member_id is None or event.started_at is None:
        return None
    ended_at = event.ended_at if isinstance(event, MachineFreed) else None
    inferred = event.inferred if isinstance(event, MachineFreed) else None
    use = MachineUseFact(
        event.use_id, event.gym_id, event.machine_id, event.member_id, event.started_at, ended_at, inferred
    )
    return [use]
