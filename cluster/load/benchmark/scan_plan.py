"""The plan of scans: who scans what where, and what the answer must be.

A lane is what one connection asks for, one scan after the other. A member belongs to one lane, so that it is known
beforehand who is inside at every step, however fast the lanes are beside each other.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from cluster.load.passes import Code, IssueTimes, Window, stale_time
from cluster.load.world import BenchDevice, BenchGate, BenchMember, BenchWorld, Kind
from domain.door.model import Direction, Outcome, Reason, Remedy
from domain.ids import new_id

_FRUITLESS = 200  # attempts to find somebody with a code left


@dataclass(frozen=True, slots=True)
class Expected:
    """What the answer must say. `member` is None where the pass names nobody."""

    outcome: Outcome
    member: BenchMember | None
    reason: Reason | None = None
    remedy: Remedy | None = None


@dataclass(frozen=True, slots=True)
class PlannedScan:
    """One question and its answer. `about` is the member on whose place the answer depends."""

    scan_id: str
    device: BenchDevice
    gate: BenchGate
    direction: Direction
    code: Code
    about: UUID
    expected: Expected


Lane = list[PlannedScan]


@dataclass(slots=True)
class _Place:
    """Where the members of one lane are, as far as the plan has got."""

    outside: deque[BenchMember]
    inside: deque[tuple[BenchMember, BenchGate]]
    scans: Lane = field(default_factory=list)
    entered_by: dict[UUID, datetime] = field(default_factory=dict)


class Planner:
    """Makes plans, one for each measurement.

    Args:
        world: what was loaded.
        seed: the same one gives the same sequence of choices.
        refused_share: which share of the scans is one that the door must refuse, 0 to 1.
        passing_through: whoever went in goes out next, so that hardly anybody is inside; else half of the members are.
    """

    def __init__(self, world: BenchWorld, seed: int, refused_share: float, *, passing_through: bool = False) -> None:
        self._world = world
        self._random = Random(seed)  # noqa: S311 - chooses what to measure, guards nothing
        self._refused_share = refused_share
        self._passing_through = passing_through
        self._times = IssueTimes()
        self._gates = {gate.id: gate for gate in world.gates}
        self._other_gate = {gate.id: self._beside(gate) for gate in world.gates}
        self._refusals: tuple[Callable[[_Place, Window, datetime], PlannedScan | None], ...] = (
            self._without_right(Kind.NO_MEMBERSHIP, Reason.NO_MEMBERSHIP, Remedy.BUY_MEMBERSHIP),
            self._without_right(Kind.ENDED, Reason.MEMBERSHIP_ENDED, Remedy.RENEW),
            self._without_right(Kind.BANNED, Reason.BANNED, Remedy.ASK_STAFF),
            self._forged,
            self._expired,
            self._used,
            self._inside_already,
        )

    def entries(self, lanes: int, now: datetime, good_for: timedelta, number: int | None = None) -> list[Lane]:
        """So many members go in, one lane after the other gets the next; every second one unless told."""
        window = Window.of(now, good_for)
        places = self._places(lanes, {})
        for lane, place in enumerate(places):
            wanted = len(place.outside) // 2 if number is None else len(range(lane, number, lanes))
            for _ in range(min(wanted, len(place.outside))):
                self._keep(place, self._enter(place, window))
        return [place.scans for place in places]

    def exits(self, lanes: int, entered_by: Mapping[UUID, UUID], now: datetime, good_for: timedelta) -> list[Lane]:
        """Whoever is inside goes out."""
        window = Window.of(now, good_for)
        places = self._places(lanes, entered_by)
        for place in places:
            for _ in range(len(place.inside)):
                self._keep(place, self._leave(place, window))
        return [place.scans for place in places]

    def mixed(
        self, lanes: int, scans: int, entered_by: Mapping[UUID, UUID], now: datetime, good_for: timedelta
    ) -> list[Lane]:
        """Members go in and out by turns, the given share of scans is refused.

        Args:
            lanes: how many connections ask at once.
            scans: how many scans in all; fewer where the members' codes run out.
            entered_by: who is inside, with the gate by which they came.
            now: when the first scan may be sent.
            good_for: how long after that the last one may be.
        """
        window = Window.of(now, good_for)
        places = self._places(lanes, entered_by)
        for place in places:
            fruitless = 0
            while len(place.scans) * lanes < scans and fruitless < _FRUITLESS:
                scan = self._refused(place, window, now) if self._chance(self._refused_share) else None
                fruitless = 0 if self._keep(place, scan or self._moved(place, window)) else fruitless + 1
        return [place.scans for place in places]

    def _places(self, lanes: int, entered_by: Mapping[UUID, UUID]) -> list[_Place]:
        members = self._world.of_kind(Kind.ADMITTED)
        self._random.shuffle(members)
        inside = [(member, self._gates[entered_by[member.id]]) for member in members if member.id in entered_by]
        outside = [member for member in members if member.id not in entered_by]
        return [_Place(deque(outside[lane::lanes]), deque(inside[lane::lanes])) for lane in range(lanes)]

    def _moved(self, place: _Place, window: Window) -> PlannedScan | None:
        if place.inside and (self._passing_through or not place.outside or self._chance(0.5)):
            return self._leave(place, window)
        return self._enter(place, window)

    def _enter(self, place: _Place, window: Window) -> PlannedScan | None:
        member = place.outside.popleft() if place.outside else None
        issued_at = self._times.take(member.id, window) if member else None
        if member is None or issued_at is None:
            place.outside.extend([member] if member else [])
            return None
        gate = self._random.choice(self._world.gates)
        place.inside.append((member, gate))
        place.entered_by[member.id] = issued_at
        return self._scan(gate, Direction.ENTER, Code(member.id, issued_at), Expected(Outcome.ENTERED, member))

    def _leave(self, place: _Place, window: Window) -> PlannedScan | None:
        member, entered_by = place.inside.popleft()
        # The door takes the code of the entry as well; but phones have moved on by then, and so must what is verified.
        issued_at = self._times.take(member.id, window)
        if issued_at is None:
            place.inside.append((member, entered_by))
            return None
        place.outside.append(member)
        gate = self._random.choice((entered_by, self._other_gate[entered_by.id]))
        return self._scan(gate, Direction.LEAVE, Code(member.id, issued_at), Expected(Outcome.LEFT, member))

    def _refused(self, place: _Place, window: Window, now: datetime) -> PlannedScan | None:
        return self._random.choice(self._refusals)(place, window, now)

    def _without_right(
        self, kind: Kind, reason: Reason, remedy: Remedy
    ) -> Callable[[_Place, Window, datetime], PlannedScan | None]:
        members = self._world.of_kind(kind)

        def plan(_place: _Place, window: Window, _now: datetime) -> PlannedScan | None:
            member = self._random.choice(members)
            issued_at = self._times.take(member.id, window)
            return self._refusal(Code(member.id, issued_at), member, reason, remedy) if issued_at else None

        return plan

    def _forged(self, place: _Place, window: Window, _now: datetime) -> PlannedScan | None:
        if not place.outside:
            return None
        member = self._random.choice(place.outside)
        issued_at = self._times.take(member.id, window)
        if issued_at is None:
            return None
        code = Code(member.id, issued_at, forged=True)
        return self._refusal(code, None, Reason.UNKNOWN_PASS, Remedy.OPEN_APP)

    def _expired(self, place: _Place, _window: Window, now: datetime) -> PlannedScan | None:
        if not place.outside:
            return None
        member = self._random.choice(place.outside)
        code = Code(member.id, stale_time(now, self._random.random()))
        return self._refusal(code, member, Reason.EXPIRED_PASS, Remedy.REFRESH_PASS)

    def _used(self, place: _Place, _window: Window, _now: datetime) -> PlannedScan | None:
        # Only members who came in and left within this plan: their code is neither stale nor shown at another place.
        came_back = [member for member in place.outside if member.id in place.entered_by]
        if not came_back:
            return None
        member = self._random.choice(came_back)
        code = Code(member.id, place.entered_by[member.id])
        return self._refusal(code, member, Reason.USED_PASS, Remedy.REFRESH_PASS)

    def _inside_already(self, place: _Place, window: Window, _now: datetime) -> PlannedScan | None:
        if not place.inside:
            return None
        member, entered_by = self._random.choice(place.inside)
        issued_at = self._times.take(member.id, window)
        if issued_at is None:
            return None
        # At the other gate: at the same one it could be a phone held up, which is told once more that it may pass.
        gate = self._other_gate[entered_by.id]
        expected = Expected(Outcome.REFUSED, member, Reason.ALREADY_INSIDE, Remedy.LEAVE_FIRST)
        return self._scan(gate, Direction.ENTER, Code(member.id, issued_at), expected)

    def _refusal(self, code: Code, member: BenchMember | None, reason: Reason, remedy: Remedy) -> PlannedScan:
        gate = self._random.choice(self._world.gates)
        return self._scan(gate, Direction.ENTER, code, Expected(Outcome.REFUSED, member, reason, remedy))

    def _scan(self, gate: BenchGate, direction: Direction, code: Code, expected: Expected) -> PlannedScan:
        device = self._random.choice(gate.devices)
        return PlannedScan(str(new_id()), device, gate, direction, code, code.member_id, expected)

    def _keep(self, place: _Place, scan: PlannedScan | None) -> bool:
        if scan is not None:
            place.scans.append(scan)
        return scan is not None

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _beside(self, gate: BenchGate) -> BenchGate:
        gates: Sequence[BenchGate] = [other for other in self._world.gates if other.gym_id == gate.gym_id]
        return gates[(gates.index(gate) + 1) % len(gates)]
