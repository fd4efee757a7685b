"""What a member's scans that were made without the server amount to: pure, and the same in whatever order they came."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from domain.door.model import Conflict, Direction, Inferred
from domain.door.state import OpenVisit
from domain.passes import good_from, good_until


@dataclass(frozen=True, slots=True)
class OfflineEntry:
    """A scan that a device made without the server.

    Args:
        id: the scan's row.
        asked: the client's id and whose it is; the order of scans of one moment.
        issued_at: of the code that was shown.
    """

    id: UUID
    asked: tuple[str, UUID]
    gym_id: UUID
    gate_id: UUID
    direction: Direction
    occurred_at: datetime
    issued_at: datetime


class End(NamedTuple):
    """How a visit ended."""

    left_at: datetime
    left_scan: UUID
    inferred: Inferred | None


@dataclass(slots=True)
class OfflineVisit:
    """A visit that such a scan began."""

    entry: OfflineEntry
    end: End | None = None


@dataclass(slots=True)
class Timeline:
    """What the scans amount to.

    Args:
        visits: those that they began, in order.
        earlier_ends: how the visit ends that was open before them; None where it goes on, or there was none.
        conflicts: what does not fit, by the scan's row.
    """

    visits: list[OfflineVisit] = field(default_factory=list)
    earlier_ends: End | None = None
    conflicts: dict[UUID, Conflict] = field(default_factory=dict)


def occurred_at(scanned_at: datetime | None, issued_at: datetime | None, arrived_at: datetime) -> datetime:
    """When a scan was made: as the device's clock says, within the time in which the code that it read was good."""
    moment = scanned_at or issued_at or arrived_at
    if issued_at is not None:
        moment = min(max(moment, good_from(issued_at)), good_until(issued_at))
    return min(moment, arrived_at)


def replay(earlier: OpenVisit | None, used_codes: Collection[datetime], scans: Iterable[OfflineEntry]) -> Timeline:
    """Go through scans in the order of their time.

    Args:
        earlier: the visit that is open when they begin, at any gym.
        used_codes: issue times of codes that have admitted this member before.
        scans: those later than every scan that was decided at a gate.
    """
    timeline = Timeline()
    used = set(used_codes)
    inside_at = earlier.gym_id if earlier is not None else None

    def end(scan: OfflineEntry, inferred: Inferred | None) -> None:
        ended = End(scan.occurred_at, scan.id, inferred)
        if timeline.visits and timeline.visits[-1].end is None:
            timeline.visits[-1].end = ended
        else:
            timeline.earlier_ends = ended

    for scan in sorted(scans, key=lambda one: (one.occurred_at, one.asked)):
        here = inside_at == scan.gym_id
        if scan.direction is Direction.LEAVE:
            if here:
                end(scan, None)
                inside_at = None
            else:
                timeline.conflicts[scan.id] = Conflict.NOT_INSIDE
            continue
        if scan.issued_at in used:
            timeline.conflicts[scan.id] = Conflict.USED_PASS
            continue
        if here:
            timeline.conflicts[scan.id] = Conflict.ALREADY_INSIDE
        if inside_at is not None:
            end(scan, Inferred.ENTERED_AGAIN if here else Inferred.ENTERED_ELSEWHERE)
        used.add(scan.issued_at)
        timeline.visits.append(OfflineVisit(scan))
        inside_at = scan.gym_id
    return timeline
