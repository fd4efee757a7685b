"""Computes a member's visits from the facts of their timeline. Pure; the order in which facts arrived does not matter.

A fact is a scan that a gate accepted, a scan that a device made without the server, or a rule that ended a visit.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from domain.door.model import Conflict, Direction, Inferred, Outcome
from domain.passes import good_from, good_until


@dataclass(frozen=True, slots=True)
class GateScan:
    """A scan that a gate accepted.

    Args:
        group: the first scan that got this answer; the same for all scans that got it.
        at: when it was decided.
        issued_at: issue time of the shown code.
    """

    id: UUID
    group: UUID
    gym_id: UUID
    gate_id: UUID
    outcome: Outcome
    at: datetime
    issued_at: datetime

    @property
    def is_entry(self) -> bool:
        """Whether it let somebody in by its own code, instead of repeating an earlier answer."""
        return self.outcome is Outcome.ENTERED and self.group == self.id


@dataclass(frozen=True, slots=True)
class OfflineEntry:
    """A scan that a device made without the server.

    Args:
        id: the scan's row.
        key: the client's id and whose it is; it orders scans of the same moment.
        at: when it was made.
        issued_at: issue time of the shown code.
        known_at: when it was recorded.
    """

    id: UUID
    key: tuple[str, UUID]
    gym_id: UUID
    gate_id: UUID
    direction: Direction
    at: datetime
    issued_at: datetime
    known_at: datetime

    @property
    def group(self) -> UUID:
        """No other scan got its answer."""
        return self.id


@dataclass(frozen=True, slots=True)
class RuleEnd:
    """A rule decided that the member was no longer inside a gym."""

    gym_id: UUID
    at: datetime
    inferred: Inferred


Fact = GateScan | OfflineEntry | RuleEnd


class StayEnd(NamedTuple):
    """How a stay ended; `left_scan` is None when no scan ended it."""

    left_at: datetime
    left_scan: UUID | None
    inferred: Inferred | None


@dataclass(slots=True, eq=False)
class Stay:
    """A visit as computed from the facts. Two stays are never equal.

    Args:
        opener: the scan that began it; None: it was open before the first fact.
        group: the group of its scans.
    """

    gym_id: UUID
    group: UUID | None
    opener: GateScan | OfflineEntry | None = None
    end: StayEnd | None = None


@dataclass(slots=True)
class Timeline:
    """The result of replaying facts.

    Args:
        stays: the visits that began, in order.
        of_scans: by the scan's row: the visit that it began, joined or ended; None when it had no effect.
        conflicts: by the scan's row: why an offline scan contradicts other facts.
    """

    stays: list[Stay] = field(default_factory=list)
    of_scans: dict[UUID, Stay | None] = field(default_factory=dict)
    conflicts: dict[UUID, Conflict] = field(default_factory=dict)


def occurred_at(scanned_at: datetime | None, issued_at: datetime | None, arrived_at: datetime) -> datetime:
    """When an offline scan was made: the device's time, bounded by the validity of the shown code and by its upload."""
    moment = scanned_at or issued_at or arrived_at
    if issued_at is not None:
        moment = min(max(moment, good_from(issued_at)), good_until(issued_at))
    return min(moment, arrived_at)


def replay(earlier: Stay | None, used_codes: Collection[datetime], facts: Iterable[Fact]) -> Timeline:
    """Replay facts in the order of their time.

    Args:
        earlier: the visit that is open when the facts begin; its end is set here.
        used_codes: issue times of codes that let this member in before.
        facts: without annulled scans.
    """
    facts = list(facts)
    at_gates = [fact for fact in facts if isinstance(fact, GateScan)]
    # The gate that accepted a code knew of no other use. So an offline scan of the same code is the conflict.
    used = set(used_codes) | {scan.issued_at for scan in at_gates if scan.is_entry}
    state = _Replay(earlier, used, at_gates)
    for fact in sorted(facts, key=_in_time):
        match fact:
            case RuleEnd():
                state.rule(fact)
            case OfflineEntry():
                state.offline(fact)
            case GateScan():
                state.at_gate(fact)
    return state.timeline


def _in_time(fact: Fact) -> tuple[datetime, int, str, int]:
    """The order of facts; of one moment: offline scans, then scans at gates, then rules."""
    match fact:
        case OfflineEntry():
            return fact.at, 0, fact.key[0], fact.key[1].int
        case GateScan():
            return fact.at, 1, "", fact.id.int
        case RuleEnd():
            return fact.at, 2, "", 0


class _Replay:
    """The state between two facts."""

    def __init__(self, earlier: Stay | None, used: set[datetime], at_gates: Collection[GateScan]) -> None:
        self.timeline = Timeline()
        self._inside = earlier
        self._used = used
        self._at_gates = at_gates

    def rule(self, fact: RuleEnd) -> None:
        if self._is_inside(fact.gym_id):
            self._end(StayEnd(fact.at, None, fact.inferred))

    def at_gate(self, scan: GateScan) -> None:
        """A gate's answer always counts, because the door acted on it."""
        if scan.outcome is Outcome.ENTERED:
            self._used.add(scan.issued_at)
            if self._inside is not None and self._inside.group == scan.group:
                self.timeline.of_scans[scan.id] = self._inside
            else:
                self._enter(scan)
        elif self._is_inside(scan.gym_id):
            self._leave(scan)
        elif scan.group == scan.id:
            self.timeline.of_scans[scan.id] = None

    def offline(self, entry: OfflineEntry) -> None:
        """An offline scan counts unless a gate decided otherwise."""
        self.timeline.of_scans[entry.id] = None
        here = self._is_inside(entry.gym_id)
        if any(_decided_before_known(scan, entry) for scan in self._at_gates):
            self.timeline.conflicts[entry.id] = Conflict.LATER_SCAN
        elif entry.direction is Direction.LEAVE:
            if here:
                self._leave(entry)
            else:
                self.timeline.conflicts[entry.id] = Conflict.NOT_INSIDE
        elif entry.issued_at in self._used:
            self.timeline.conflicts[entry.id] = Conflict.USED_PASS
        else:
            if here:
                self.timeline.conflicts[entry.id] = Conflict.ALREADY_INSIDE
            self._used.add(entry.issued_at)
            self._enter(entry)

    def _is_inside(self, gym_id: UUID) -> bool:
        return self._inside is not None and self._inside.gym_id == gym_id

    def _enter(self, scan: GateScan | OfflineEntry) -> None:
        if self._inside is not None:
            here = self._inside.gym_id == scan.gym_id
            self._end(StayEnd(scan.at, scan.id, Inferred.ENTERED_AGAIN if here else Inferred.ENTERED_ELSEWHERE))
        self._inside = Stay(scan.gym_id, scan.group, scan)
        self.timeline.stays.append(self._inside)
        self.timeline.of_scans[scan.id] = self._inside

    def _leave(self, scan: GateScan | OfflineEntry) -> None:
        self.timeline.of_scans[scan.id] = self._inside
        self._end(StayEnd(scan.at, scan.id, None))

    def _end(self, end: StayEnd) -> None:
        assert self._inside is not None  # noqa: S101 - every caller checks it
        self._inside.end = end
        self._inside = None


def _decided_before_known(scan: GateScan, entry: OfflineEntry) -> bool:
    """Whether a gate had decided a later scan when the entry was recorded. That decision stays."""
    return scan.at >= entry.at and (scan.at, scan.id) < (entry.known_at, entry.id)
