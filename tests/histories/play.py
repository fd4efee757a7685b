"""Plays a history on a database and on the oracle, and compares the two after each step."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from domain.door.machine_model import MachineAction, MachineAnswer, UseOutcome
from domain.door.model import (
    AnnulAnswer,
    Direction,
    DoorRequest,
    DoorResult,
    EndVisitAnswer,
    EndVisitRequest,
    ExpireVisitsAnswer,
    ExpireVisitsRequest,
    HeadCountAnswer,
    Inferred,
    OfflineAnswer,
    OfflineScan,
    PassReading,
    PassStatus,
    Problem,
    Rejected,
    ScanAnswer,
    ScanRequest,
)
from domain.door.reconcile import disagreements
from domain.door.service import decide_batch
from domain.gyms.tables import gyms
from domain.identity.personal_data_service import begin_deleting, finish_deleting
from domain.ids import new_id
from domain.sql_literals import read_id, read_instant
from domain.unit_of_work import Store
from tests.histories.facts import Visit
from tests.histories.oracle import Oracle
from tests.histories.steps import GATES, GYMS, MEMBERS, Kind, Step, history, shorter
from tests.world import START, ManualClock, World

CAPACITY = 2
_RECONCILES = 4  # one of so many histories
_SCANS, _VISITS, _OPEN, _CONFLICTS, _USES = range(5)
# All at once: a statement costs more than its rows.
_ALL = (
    f"SELECT {_SCANS}, id, NULL, NULL, NULL, NULL, NULL, scan_id, NULL FROM scans"  # noqa: S608 - numbers
    f" UNION ALL SELECT {_VISITS}, member_id, gym_id, entered_scan, left_scan, entered_at, left_at, NULL, inferred"
    " FROM visits WHERE annulled_at IS NULL"
    f" UNION ALL SELECT {_OPEN}, member_id, gym_id, NULL, NULL, entered_at, NULL, NULL, NULL FROM open_visits"
    f" UNION ALL SELECT {_CONFLICTS}, id, NULL, NULL, NULL, NULL, NULL, NULL, kind FROM scan_conflicts"
    f" UNION ALL SELECT {_USES}, machine_id, member_id, NULL, NULL, NULL, NULL, NULL, NULL FROM open_machine_uses"
)


class MismatchError(AssertionError):
    """The door and the oracle differ."""


class TickingClock(ManualClock):
    """A clock that never shows the same time twice, like a real one."""

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now


@dataclass
class Arena:
    """Two gyms, three members and two machines in a database, for any number of histories."""

    store: Store
    world: World
    gyms: Sequence[UUID]
    gates: Sequence[Sequence[UUID]]
    members: Sequence[UUID]
    machines: Sequence[UUID]
    longest: tuple[timedelta, timedelta]

    @classmethod
    def on(cls, store: Store) -> "Arena":
        """Create it in a migrated database."""
        world = World(store, TickingClock())
        ids = [world.gym(CAPACITY) for _ in range(GYMS)]
        with store.reading() as connection:
            row = connection.execute(select(gyms.c.longest_visit_s, gyms.c.longest_use_s).limit(1)).one()
        return cls(
            store,
            world,
            ids,
            [[world.gates[gym], *(new_id() for _ in range(GATES - 1))] for gym in ids],
            world.members(MEMBERS),
            [world.machine(gym) for gym in ids],
            (timedelta(seconds=row.longest_visit_s), timedelta(seconds=row.longest_use_s)),
        )

    @contextmanager
    def unit_of_work(self) -> Iterator[Connection]:
        """A transaction for a whole history, rolled back at its end."""
        with self.store.engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            finally:
                connection.rollback()


class Play:
    """One history on one connection."""

    def __init__(self, arena: Arena, connection: Connection) -> None:
        self._arena = arena
        self._world = arena.world
        self._connection = connection
        self._world.clock.now = START
        self._oracle = Oracle(dict.fromkeys(arena.gyms, CAPACITY), arena.members, *arena.longest)
        self._asked: list[ScanRequest] = []
        self._steps = 0
        self._count_ids = 0

    def play(self, steps: Sequence[Step], *, reconcile: bool) -> None:
        """Play all steps.

        Args:
            reconcile: hold the tables against each other in the end, which costs as much as two steps.

        Raises:
            MismatchError: at the first step after which door and oracle differ.
        """
        for number, step in enumerate(steps):
            self._steps = number
            self._world.clock.forward(step.wait_s)
            try:
                self._play(step)
                self._oracle.after(self._world.clock.now)
                self._compare()
            except Exception as error:
                raise MismatchError(f"step {number}, {step}: {error!r}"[:3000]) from error
        if reconcile:
            self._same("disagreements", disagreements(self._connection), [])

    def _play(self, step: Step) -> None:
        match step.kind:
            case Kind.SCAN | Kind.SCANS:
                self._scan([self._request(one) for one in (step, *step.more)])
            case Kind.UPLOAD:
                self._upload(self._made(step))
            case Kind.ANNUL_UNSEEN:
                unseen = self._request(step)
                self._annul(unseen.scan_id, unseen.gym_id, by_staff=False)
            case Kind.COUNT | Kind.TIDY:
                self._rule(step)
            case Kind.MACHINE:
                self._machine(step)
            case Kind.DELETE:
                self._delete(self._arena.members[step.member])
            case _ if self._asked:
                self._play_asked(step, self._asked[-1 - step.index % len(self._asked)])

    def _play_asked(self, step: Step, asked: ScanRequest) -> None:
        """A step about a scan id that was used before."""
        now = self._world.clock.now
        if step.kind is Kind.AGAIN:
            again = replace(asked, arrived_at=now, decide_by=now + timedelta(seconds=1.8))
            self._scan([replace(again, direction=step.direction) if step.odd else again])
        elif step.kind is Kind.UPLOAD_OF:
            self._upload(self._made_of(step, asked))
        else:
            self._annul(asked.scan_id, asked.gym_id, by_staff=step.odd)

    # What is asked.

    def _request(self, step: Step) -> ScanRequest:
        member = self._arena.members[step.member]
        reading = self._world.code(member, step.ago_s)
        late = step.odd and step.index % 2
        if step.odd and not late:
            reading = PassReading(PassStatus.FORGED)
        request = self._world.scan(
            self._arena.gyms[step.gym],
            reading,
            step.direction,
            scan_id=f"scan-{len(self._asked)}",
            gate=self._arena.gates[step.gym][step.gate],
            deadline_s=-1 if late else 1.8,
        )
        self._asked.append(request)
        return request

    def _made(self, step: Step) -> OfflineScan:
        moment = self._world.clock.now - timedelta(seconds=step.ago_s, microseconds=len(self._asked))
        seconds = moment.second // 15 * 15
        issued_at = moment.replace(second=seconds, microsecond=0) - timedelta(seconds=step.older_s)
        reading = PassReading(PassStatus.STALE, self._arena.members[step.member], issued_at)
        if step.odd:
            reading = PassReading(PassStatus.FORGED)
        request = self._world.scan(
            self._arena.gyms[step.gym],
            reading,
            Direction.LEAVE if step.direction is Direction.LEAVE else Direction.ENTER,
            scan_id=f"scan-{len(self._asked)}",
            gate=self._arena.gates[step.gym][step.gate],
        )
        self._asked.append(replace(request, scanned_at=moment))
        return OfflineScan(self._asked[-1])

    def _made_of(self, step: Step, asked: ScanRequest) -> OfflineScan:
        direction = asked.direction
        if direction is Direction.AUTO or step.odd:
            direction = Direction.LEAVE if step.direction is Direction.LEAVE else Direction.ENTER
        reading = asked.reading
        if step.odd and step.gate:
            reading = self._world.code(self._arena.members[step.member], 15)
        now = self._world.clock.now
        scanned_at = asked.scanned_at or asked.arrived_at
        made = replace(asked, direction=direction, reading=reading, scanned_at=scanned_at, arrived_at=now)
        return OfflineScan(made)

    # What becomes of it, on both sides.

    def _ask(self, *requests: DoorRequest) -> list[DoorResult]:
        results = decide_batch(self._connection, requests, self._world.clock, self._world.limits)
        assert None not in results, "not decided"
        return [result for result in results if result is not None]

    def _scan(self, requests: Sequence[ScanRequest]) -> None:
        for request, answer in zip(requests, self._ask(*requests), strict=True):
            known = request.scan_id in self._oracle.kept
            if isinstance(answer, Rejected):
                self._same("rejected", None, self._oracle.expect(request, self._world.clock.now))
                continue
            assert isinstance(answer, ScanAnswer)
            expected = self._oracle.expect(request, answer.decided_at)
            assert expected is not None
            said = (answer.outcome, answer.reason, answer.replayed)
            self._same("answer", said, (expected.outcome, expected.reason, expected.replayed))
            self._oracle.scanned(request, expected, answer.decided_at)
            if not known and not answer.replayed:
                self._same("occupancy", answer.occupancy, len(self._oracle.inside(request.gym_id)))

    def _upload(self, upload: OfflineScan) -> None:
        (answer,) = self._ask(upload)
        conflict = self._oracle.uploaded(upload, self._world.clock.now)
        if isinstance(answer, Rejected):
            self._same("problem", (answer.problem, conflict), (Problem.SCAN_ID_REUSED, False))
            return
        assert isinstance(answer, OfflineAnswer)
        self._same("conflict", answer.conflict, conflict)
        self._same("occupancy", answer.occupancy, len(self._oracle.inside(answer.gym_id)))

    def _annul(self, scan_id: str, gym: UUID, *, by_staff: bool) -> None:
        request = self._world.annulment(gym, scan_id, by_staff=by_staff)
        (answer,) = self._ask(request)
        done = self._oracle.annulled(
            scan_id, gym, by_staff=by_staff, asked_at=request.arrived_at, now=self._world.clock.now
        )
        self._same("annulled", isinstance(answer, AnnulAnswer), done)
        if isinstance(answer, AnnulAnswer):
            inside = len(self._oracle.inside(gym))
            self._same("occupancy", (answer.occupancy, answer.over_capacity), (inside, inside > CAPACITY))

    def _rule(self, step: Step) -> None:
        gym = self._arena.gyms[step.gym]
        if step.kind is Kind.TIDY:
            (tidied,) = self._ask(ExpireVisitsRequest(gym, self._world.clock.now))
            assert isinstance(tidied, ExpireVisitsAnswer)
            self._oracle.tidied(gym, tidied.decided_at)
            return
        began = [visit.at for visit in self._oracle.inside(gym)]
        if len(set(began)) < len(began):
            return  # of two who came at one moment, either may be the oldest
        (answer,) = self._ask(self._world.count(gym, step.figure))
        assert isinstance(answer, HeadCountAnswer)
        self._same("inside before", answer.before, len(began))
        self._oracle.counted(gym, step.figure, answer.counted_at)

    def _machine(self, step: Step) -> None:
        member, gym = self._arena.members[step.member], self._arena.gyms[step.gym]
        machine = self._arena.machines[step.gym]
        action = MachineAction.RELEASE if step.direction is Direction.LEAVE else MachineAction.USE
        (answer,) = self._ask(self._world.wish(action, machine, member, gym))
        assert isinstance(answer, MachineAnswer)
        use = self._oracle.machines.uses.get(machine)
        if action is MachineAction.RELEASE:
            own = use is not None and use.member == member
            self._same("released", answer.outcome is UseOutcome.RELEASED, own)
            if own:
                del self._oracle.machines.uses[machine]
            return
        may = self._oracle.may_use(machine, member, gym)
        self._same("used", answer.outcome is UseOutcome.USED, may)
        if may:
            self._oracle.uses_machine(machine, member, gym, answer.decided_at)

    def _delete(self, member: UUID) -> None:
        known = self._oracle.members[member]
        now = self._world.clock()
        if known.deleted_at is not None:
            if known.forgotten is None:
                finish_deleting(self._connection, member, now)
                self._oracle.forgotten(member)
            return
        gym = begin_deleting(self._connection, member, member, now)
        ended_at = now
        if isinstance(gym, UUID):
            (answer,) = self._ask(EndVisitRequest(member, gym, Inferred.ACCOUNT_DELETED, now, now))
            assert isinstance(answer, EndVisitAnswer)
            ended_at = answer.decided_at
        self._oracle.deleted(member, now, ended_at)

    # The store and the oracle.

    def _compare(self) -> None:
        known = self._oracle.visits()
        rows: dict[int, list[Sequence[Any]]] = defaultdict(list)
        for table, *row in self._connection.exec_driver_sql(_ALL):
            rows[table].append(row)
        names = {row[0]: row[6] for row in rows[_SCANS]}
        kept = {
            (*_ids(row[:2]), *map(read_instant, row[4:6]), names.get(row[2]), names.get(row[3]), row[7])
            for row in rows[_VISITS]
        }
        self._same("visits", kept, {_columns(visit) for visit in known})
        inside = [(*_ids(row[:2]), read_instant(row[4])) for row in rows[_OPEN]]
        expected = [(visit.member, visit.gym, visit.at) for visit in known if visit.left_at is None]
        self._same("inside", Counter(inside), Counter(expected))
        listed = {names[row[0]]: row[7] for row in rows[_CONFLICTS]}
        self._same("conflicts", listed, self._oracle.conflicts())
        uses = {_ids(row[:2]) for row in rows[_USES]}
        self._same("machines", uses, {(use.machine, use.member) for use in self._oracle.machines.uses.values()})

    @staticmethod
    def _same(what: str, said: object, expected: object) -> None:
        if said != expected:
            raise MismatchError(f"{what}: the door has {said}, the oracle {expected}")


def _ids(values: Sequence[bytes | None]) -> tuple[UUID | None, ...]:
    return tuple(read_id(value) for value in values)


def _columns(visit: Visit) -> tuple[object, ...]:
    began_by = visit.scans[0].scan_id if visit.scans else None
    return visit.member, visit.gym, visit.at, visit.left_at, began_by, visit.left_by, visit.why


def mismatch(arena: Arena, steps: Sequence[Step], *, reconcile: bool = True) -> MismatchError | None:
    """Play a history and return the difference, if any."""
    with arena.unit_of_work() as connection:
        try:
            Play(arena, connection).play(steps, reconcile=reconcile)
        except MismatchError as error:
            return error
    return None


def shortest(arena: Arena, steps: Sequence[Step]) -> list[Step]:
    """Shorten a failing history: remove the steps that do not matter."""
    while found := next((fewer for fewer in shorter(steps) if mismatch(arena, fewer)), None):
        steps = found
    return list(steps)


def failing(arena: Arena, seeds: Iterator[int] | Sequence[int]) -> str | None:
    """Play histories and describe the first failure, as short as possible."""
    for seed in seeds:
        steps = history(seed)
        if mismatch(arena, steps, reconcile=seed % _RECONCILES == 0):
            least = shortest(arena, steps)
            lines = "\n".join(f"  {step}" for step in least)
            return f"history {seed}:\n{lines}\n{mismatch(arena, least)}"
    return None
