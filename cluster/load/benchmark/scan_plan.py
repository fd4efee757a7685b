"""The plan of scans: who scans where, and the right answer to each.

A lane is the scans of one connection, one after the other. A member belongs to one lane, so that the plan knows who is
inside at every step, however fast the lanes run beside each other.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from cluster.load import oracle
from cluster.load.oracle import Expected
from cluster.load.passes import IssueTimes, IssueWindow, Pass, stale_time
from cluster.load.scans import Scan
from cluster.load.world import Gate, Member, MemberKind, World
from domain.door.model import Direction
from domain.ids import new_id

_MAX_FAILURES = 200  # in a row, to find a member with a pass left

Lane = list[Scan]


@dataclass(slots=True)
class _LaneState:
    """Where the members of one lane are, as far as the plan has got.

    Args:
        now: when its first scan may be sent.
        window: the issue times of passes that are valid until its last one.
    """

    now: datetime
    window: IssueWindow
    outside: deque[Member]
    inside: deque[tuple[Member, Gate]]
    scans: Lane = field(default_factory=list)
    entries: dict[UUID, Pass] = field(default_factory=dict)


_Refusal = Callable[[_LaneState], Scan | None]


class Planner:
    """Makes plans, one for each measurement.

    Args:
        world: its members scan.
        seed: the same one gives the same sequence of choices.
        refused_share: the share of scans that the door must refuse, 0 to 1.
        passing_through: whoever entered leaves next, so that hardly anybody is inside; otherwise half of the members
            are.
    """

    def __init__(self, world: World, seed: int, refused_share: float, *, passing_through: bool = False) -> None:
        self._world = world
        self._random = Random(seed)  # noqa: S311 - chooses what to measure, guards nothing
        self._refused_share = refused_share
        self._passing_through = passing_through
        self._times = IssueTimes()
        self._gates = {gate.id: gate for gate in world.gates}
        self._other_gate = {
            gate.id: gym.gates[(place + 1) % len(gym.gates)]
            for gym in world.gyms
            for place, gate in enumerate(gym.gates)
        }
        self._refusals: tuple[_Refusal, ...] = (
            *(self._of_refused_kind(kind) for kind in oracle.REFUSED_KINDS),
            *(self._forged, self._expired, self._used, self._inside_already),
        )

    def entries(self, lanes: int, now: datetime, valid_for: timedelta, number: int | None = None) -> list[Lane]:
        """Members enter.

        Args:
            number: how many, dealt out to the lanes in turn; None: every second one.
        """
        states = self._states(lanes, {}, now, valid_for)
        for lane, state in enumerate(states):
            wanted = len(state.outside) // 2 if number is None else len(range(lane, number, lanes))
            moves = (self._enter(state) for _ in range(min(wanted, len(state.outside))))
            state.scans.extend(scan for scan in moves if scan)
        return [state.scans for state in states]

    def exits(self, lanes: int, entered_by: Mapping[UUID, UUID], now: datetime, valid_for: timedelta) -> list[Lane]:
        """Everybody who is inside leaves."""
        states = self._states(lanes, entered_by, now, valid_for)
        for state in states:
            moves = (self._leave(state) for _ in range(len(state.inside)))
            state.scans.extend(scan for scan in moves if scan)
        return [state.scans for state in states]

    def mixed(
        self, lanes: int, scans: int, entered_by: Mapping[UUID, UUID], now: datetime, valid_for: timedelta
    ) -> list[Lane]:
        """Members enter and leave in turn, and the given share of scans is refused.

        Args:
            lanes: how many connections.
            scans: how many scans in all; fewer where the members' passes run out.
            entered_by: who is inside, with the gate by which they came.
            now: when the first scan may be sent.
            valid_for: how long after that the last one may be.
        """
        states = self._states(lanes, entered_by, now, valid_for)
        for state in states:
            failures = 0
            while len(state.scans) * lanes < scans and failures < _MAX_FAILURES:
                is_refused = self._random.random() < self._refused_share
                scan = self._random.choice(self._refusals)(state) if is_refused else None
                if scan := scan or self._move(state):
                    state.scans.append(scan)
                failures = 0 if scan else failures + 1
        return [state.scans for state in states]

    def _states(
        self, lanes: int, entered_by: Mapping[UUID, UUID], now: datetime, valid_for: timedelta
    ) -> list[_LaneState]:
        window = IssueWindow.of(now, valid_for)
        members = self._world.of_kind(MemberKind.ADMITTED)
        self._random.shuffle(members)
        inside = [(member, self._gates[entered_by[member.id]]) for member in members if member.id in entered_by]
        outside = [member for member in members if member.id not in entered_by]
        return [
            _LaneState(now, window, deque(outside[lane::lanes]), deque(inside[lane::lanes])) for lane in range(lanes)
        ]

    def _move(self, state: _LaneState) -> Scan | None:
        if state.inside and (self._passing_through or not state.outside or self._random.choice((True, False))):
            return self._leave(state)
        return self._enter(state)

    def _enter(self, state: _LaneState) -> Scan | None:
        if not state.outside:
            return None
        member = state.outside.popleft()
        shown = self._pass(state, member)
        if shown is None:
            state.outside.append(member)
            return None
        gate = self._random.choice(self._world.gates)
        state.inside.append((member, gate))
        state.entries[member.id] = shown
        return self._scan(gate, shown, oracle.entry(member, shown, may_be_full=False))

    def _leave(self, state: _LaneState) -> Scan | None:
        member, entered_by = state.inside.popleft()
        # The door accepts the pass of the entry too; but a phone shows another one by then, which must be verified.
        shown = self._pass(state, member)
        if shown is None:
            state.inside.append((member, entered_by))
            return None
        state.outside.append(member)
        gate = self._random.choice((entered_by, self._other_gate[entered_by.id]))
        return self._scan(gate, shown, oracle.exit_(member), Direction.LEAVE)

    def _of_refused_kind(self, kind: MemberKind) -> _Refusal:
        members = self._world.of_kind(kind)

        def plan(state: _LaneState) -> Scan | None:
            member = self._random.choice(members)
            shown = self._pass(state, member)
            return self._scan_anywhere(shown, oracle.entry(member, shown, may_be_full=False)) if shown else None

        return plan

    def _forged(self, state: _LaneState) -> Scan | None:
        shown = self._pass(state, self._random.choice(state.outside)) if state.outside else None
        return self._scan_anywhere(replace(shown, forged=True), oracle.forged()) if shown else None

    def _expired(self, state: _LaneState) -> Scan | None:
        if not state.outside:
            return None
        member = self._random.choice(state.outside)
        return self._scan_anywhere(Pass(member.id, stale_time(state.now, self._random.random())), oracle.stale(member))

    def _used(self, state: _LaneState) -> Scan | None:
        # Only members who came in and left within this plan: their pass is neither stale nor used at another place.
        came_back = [member for member in state.outside if member.id in state.entries]
        if not came_back:
            return None
        member = self._random.choice(came_back)
        return self._scan_anywhere(state.entries[member.id], oracle.used(member))

    def _inside_already(self, state: _LaneState) -> Scan | None:
        if not state.inside:
            return None
        member, entered_by = self._random.choice(state.inside)
        shown = self._pass(state, member)
        if shown is None:
            return None
        # At the other gate: at the same one it could be a phone held up, which is answered once more as before.
        return self._scan(self._other_gate[entered_by.id], shown, oracle.passed_back(member, shown))

    def _pass(self, state: _LaneState, member: Member) -> Pass | None:
        issued_at = self._times.take(member.id, state.window)
        return Pass(member.id, issued_at) if issued_at else None

    def _scan_anywhere(self, shown: Pass, expected: Expected) -> Scan:
        return self._scan(self._random.choice(self._world.gates), shown, expected)

    def _scan(self, gate: Gate, shown: Pass, expected: Expected, direction: Direction = Direction.ENTER) -> Scan:
        return Scan(str(new_id()), gate, self._random.choice(gate.devices), direction, shown, expected)
