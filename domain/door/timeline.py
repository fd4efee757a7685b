"""A member's visits, worked out from the facts of their timeline. Pure, and the same in whatever order they are known.

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
        group: the scan whose answer was given first; the same for all scans that were given this answer.
        at: when it was decided.
        issued_at: of the code that was shown.
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
        """Whether it let somebody in by its own code, and was not given an earlier answer again."""
        return self.outcome is Outcome.ENTERED and self.group == self.id


@dataclass(frozen=True, slots=True)
class OfflineEntry:
    """A scan that a device made without the server.

    Args:
        id: the scan's row.
        asked: the client's id and whose it is; the order of scans of one moment.
        at: when it was made.
        issued_at: of the code that was shown.
        known_at: when it was recorded.
    """

    id: UUID
    asked: tuple[str, UUID]
    gym_id: UUID
    gate_id: UUID
    direction: Direction
    at: datetime
    issued_at: datetime
    known_at: datetime

    @property
    def group(self) -> UUID:
        """Its answer was given to no other scan."""
        return self.id


@dataclass(frozen=True, slots=True)
class RuleEnd:
    """A rule found that the member was not inside a gym any more."""

    gym_id: UUID
    at: datetime
    inferred: Inferred


Fact = GateScan | OfflineEntry | RuleEnd


class End(NamedTuple):
    """How a visit ended; `left_scan` is None when no scan ended it."""

    left_at: datetime
    left_scan: UUID | None
    inferred: Inferred | None


@dataclass(slots=True, eq=False)
class Stay:
    """A visit as the facts have it; two alike are still two.

    Args:
        opener: the scan that began it; None: it was open before the facts.
        group: of the scans that it answered.
    """

    gym_id: UUID
    group: UUID | None
    opener: GateScan | OfflineEntry | None = None
    end: End | None = None


@dataclass(slots=True)
class Timeline:
    """What the facts amount to.

    Args:
        stays: the visits that they began, in order.
        of_scans: by the scan's row, the visit that it began, joined or ended; None where it did nothing.
        conflicts: what does not fit, by the scan's row.
    """

    stays: list[Stay] = field(default_factory=list)
    of_scans: dict[UUID, Stay | None] = field(default_factory=dict)
    conflicts: dict[UUID, Conflict] = field(default_factory=dict)


def occurred_at(scanned_at: datetime | None, issued_at: datetime | None, arrived_at: datetime) -> datetime:
    """When a scan was made: as the device's clock says, within the time in which the code that it read was good."""
    moment = scanned_at or issued_at or arrived_at
    if issued_at is not None:
        moment = min(max(moment, good_from(issued_at)), good_until(issued_at))
    return min(moment, arrived_at)


def replay(earlier: Stay | None, used_codes: Collection[datetime], facts: Iterable[Fact]) -> Timeline:
    """Go through facts in the order of their time.

    Args:
        earlier: the visit that is open when they begin; its end is set here.
        used_codes: issue times of codes that have admitted this member before.
        facts: those that stand; what was annulled is none.
    """
    facts = list(facts)
    at_gates = [fact for fact in facts if isinstance(fact, GateScan)]
    # A gate that let somebody in by a code knew of no other use: an upload of the same code is what does not fit.
    used = set(used_codes) | {scan.issued_at for scan in at_gates if scan.is_entry}
    replaying = _Replaying(earlier, used, at_gates)
    for fact in sorted(facts, key=_in_time):
        match fact:
            case RuleEnd():
                replaying.rule(fact)
            case OfflineEntry():
                replaying.offline(fact)
            case GateScan():
                replaying.at_gate(fact)
    return replaying.timeline


def _in_time(fact: Fact) -> tuple[datetime, int, str, int]:
    """Of one moment: what was made without the server was known before the gate decided; a rule ends what there is."""
    match fact:
        case OfflineEntry():
            return fact.at, 0, fact.asked[0], fact.asked[1].int
        case GateScan():
            return fact.at, 1, "", fact.id.int
        case RuleEnd():
            return fact.at, 2, "", 0


class _Replaying:
    """The state between two facts."""

    def __init__(self, earlier: Stay | None, used: set[datetime], at_gates: Collection[GateScan]) -> None:
        self.timeline = Timeline()
        self._inside = earlier
        self._used = used
        self._at_gates = at_gates

    def rule(self, fact: RuleEnd) -> None:
        if self._is_inside(fact.gym_id):
            self._end(End(fact.at, None, fact.inferred))

    def at_gate(self, scan: GateScan) -> None:
        """A gate's answer was acted upon: it counts, whatever else is known by now."""
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
        """It counts as far as no gate has decided otherwise."""
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
            self._end(End(scan.at, scan.id, Inferred.ENTERED_AGAIN if here else Inferred.ENTERED_ELSEWHERE))
        self._inside = Stay(scan.gym_id, scan.group, scan)
        self.timeline.stays.append(self._inside)
        self.timeline.of_scans[scan.id] = self._inside

    def _leave(self, scan: GateScan | OfflineEntry) -> None:
        self.timeline.of_scans[scan.id] = self._inside
        self._end(End(scan.at, scan.id, None))

    def _end(self, end: End) -> None:
        assert self._inside is not None  # noqa: S101 - asked by every caller
        self._inside.end = end
        self._inside = None


def _decided_before_known(scan: GateScan, entry: OfflineEntry) -> bool:
    """Whether a gate had decided a later scan by the time the entry was recorded: what was decided stays."""
    return scan.at >= entry.at and (scan.at, scan.id) < (entry.known_at, entry.id)
