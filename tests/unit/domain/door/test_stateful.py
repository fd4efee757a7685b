"""The door on a database, compared with a simple model.

The model knows, for each member: where they are, since when, which codes let them in, and the last answer at
each moment. Memberships are all good; what they do is tested with the rules.
"""

import atexit
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import delete, func, select

from domain.door.model import AnnulAnswer, Direction, Outcome, PassStatus, Reason, ScanAnswer, ScanRequest
from domain.door.reconcile import disagreements
from domain.door.tables import open_visits, scans
from domain.tables import metadata
from domain.unit_of_work import Store
from tests.world import World

CAPACITY = 3
WINDOW = timedelta(seconds=15)
REENTRY = timedelta(minutes=15)


@dataclass(eq=False)
class Accepted:
    """An accepted answer in the model. Two answers are never equal.

    Args:
        scans: that were given it and stand, in order, as scan id, moment and code.
    """

    gate: UUID
    gym: UUID
    outcome: Outcome
    scans: list[tuple[str, datetime, datetime | None]]

    @property
    def at(self) -> datetime:
        return self.scans[0][1]

    @property
    def shown(self) -> datetime | None:
        return self.scans[0][2]


@dataclass
class Person:
    """A member in the model: their accepted answers, in order."""

    accepted: list[Accepted] = field(default_factory=list)

    def place(self) -> tuple[UUID, datetime] | None:
        """Where they are and since when, according to their scans."""
        here = None
        for scan in self.accepted:
            if scan.outcome is Outcome.ENTERED:
                here = (scan.gym, scan.at)
            elif here is not None and here[0] == scan.gym:
                here = None
        return here

    def used(self, code: datetime | None, outcome: Outcome) -> list[datetime]:
        """When a code was shown to get an outcome."""
        given = [record for record in self.accepted if record.outcome is outcome]
        return [at for record in given for _, at, shown in record.scans if shown == code]


@cache
def _store() -> Store:
    # One for all examples: this test is about decisions, not about what survives a power cut.
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    store = Store(f"sqlite:///{folder}/door.sqlite3", pool_size=1)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
    metadata.create_all(store.engine)
    return store


def empty_store() -> Store:
    store = _store()
    with store.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))
    return store


class Door(RuleBasedStateMachine):
    """Scans, repeats and annulments in any order, one at a time or several in a batch."""

    asked = Bundle("asked")

    @initialize()
    def open_up(self) -> None:
        store = empty_store()
        self.world = World(store)
        self.gyms = [self.world.gym(CAPACITY), self.world.gym(CAPACITY)]
        self.members = self.world.members(6)
        self.people = {member: Person() for member in self.members}
        self.answers: dict[str, ScanAnswer] = {}
        self.records: dict[str, Accepted] = {}
        self.annulled: set[str] = set()
        self.number = 0

    def teardown(self) -> None:
        if hasattr(self, "world"):
            with self.world.store.reading() as connection:
                assert disagreements(connection) == []

    @rule(seconds=st.sampled_from([1, 4, 15, 16, 50, 900, 1000]))
    def wait(self, seconds: int) -> None:
        self.world.clock.forward(seconds)

    @rule(
        target=asked,
        member=st.integers(0, 5),
        gym=st.integers(0, 1),
        direction=st.sampled_from(Direction),
        ago=st.sampled_from([0, 0, 0, 15, 40, 200]),
    )
    def scan(self, member: int, gym: int, direction: Direction, ago: int) -> ScanRequest:
        request = self._request(member, gym, direction, ago)
        (result,) = self.world.ask(request)
        self._check(request, result)
        return request

    @rule(
        questions=st.lists(
            st.tuples(st.integers(0, 5), st.integers(0, 1), st.sampled_from(Direction), st.sampled_from([0, 15])),
            min_size=2,
            max_size=6,
        )
    )
    def batch(self, questions: list[tuple[int, int, Direction, int]]) -> None:
        requests = [self._request(*question) for question in questions]
        for request, result in zip(requests, self.world.ask(*requests), strict=True):
            self._check(request, result)

    @rule(request=asked)
    def repeat(self, request: ScanRequest) -> None:
        (result,) = self.world.ask(request)
        assert isinstance(result, ScanAnswer)
        assert result.replayed
        first = self.answers[request.scan_id]
        if request.scan_id in self.annulled:
            assert (result.outcome, result.reason) == (Outcome.REFUSED, Reason.TOO_LATE)
        else:
            assert (result.outcome, result.reason, result.occupancy, result.decided_at) == (
                first.outcome,
                first.reason,
                first.occupancy,
                first.decided_at,
            )

    @rule(request=asked)
    def annul(self, request: ScanRequest) -> None:
        (result,) = self.world.ask(self.world.annulment(request.gym_id, request.scan_id, by_staff=True))
        assert isinstance(result, AnnulAnswer)
        assert request.reading.member_id is not None
        person = self.people[request.reading.member_id]
        self.annulled.add(request.scan_id)
        record = self.records.pop(request.scan_id, None)
        if record is None:
            return
        record.scans[:] = [scan for scan in record.scans if scan[0] != request.scan_id]
        if not record.scans:
            person.accepted.remove(record)

    @invariant()
    def the_store_agrees(self) -> None:
        if not hasattr(self, "world"):
            return
        with self.world.store.reading() as connection:
            kept = connection.execute(select(func.count()).select_from(scans)).scalar_one()
            rows = connection.execute(select(open_visits.c.member_id, open_visits.c.gym_id)).all()
        assert kept == len(self.answers), "every scan is kept"
        places = {member: person.place() for member, person in self.people.items()}
        assert {row.member_id: row.gym_id for row in rows} == {
            member: place[0] for member, place in places.items() if place is not None
        }

    def _request(self, member: int, gym: int, direction: Direction, ago: int) -> ScanRequest:
        self.number += 1
        reading = self.world.code(self.members[member], ago)
        return self.world.scan(self.gyms[gym], reading, direction, scan_id=f"scan-{self.number}")

    def _check(self, request: ScanRequest, result: object) -> None:
        assert isinstance(result, ScanAnswer)
        member = request.reading.member_id
        assert member is not None
        person = self.people[member]
        expected, repeated = self._expect(request, person)
        assert (result.outcome, result.reason, result.replayed) == (*expected, repeated), request
        self.answers[request.scan_id] = result
        if expected[0] is not Outcome.REFUSED:
            if not repeated:
                person.accepted.append(Accepted(request.gate_id, request.gym_id, expected[0], []))
            record = self.records[request.scan_id] = person.accepted[-1]
            record.scans.append((request.scan_id, self.world.clock.now, request.reading.issued_at))
        if not repeated:
            inside = sum(1 for other in self.people.values() if (other.place() or (None,))[0] == request.gym_id)
            assert result.occupancy == inside

    def _expect(self, request: ScanRequest, person: Person) -> tuple[tuple[Outcome, Reason | None], bool]:
        now, code = self.world.clock.now, request.reading.issued_at
        place = person.place()
        inside = place is not None and place[0] == request.gym_id
        last = person.accepted[-1] if person.accepted else None
        if last is not None and last.gate == request.gate_id and now - last.at <= WINDOW:
            same = Direction.ENTER if last.outcome is Outcome.ENTERED else Direction.LEAVE
            if request.direction in {same, Direction.AUTO}:
                if (
                    last.outcome is Outcome.ENTERED
                    and request.reading.status is PassStatus.STALE
                    and code != last.shown
                ):
                    return (Outcome.REFUSED, Reason.EXPIRED_PASS), False
                return (last.outcome, None), True
        leaves = request.direction is Direction.LEAVE or (request.direction is Direction.AUTO and inside)
        opposite = person.used(code, Outcome.ENTERED if leaves else Outcome.LEFT)
        if request.direction is Direction.AUTO and opposite:
            # The store forgets an exit's code after a minute; by then the code is too old to let anybody in.
            forgotten = not leaves and now - max(opposite) > timedelta(seconds=60)
            return (Outcome.REFUSED, Reason.EXPIRED_PASS if forgotten else Reason.USED_PASS), False
        if leaves:
            return (Outcome.LEFT, None), False
        return (self._entry(request, person, place), False)

    def _entry(
        self, request: ScanRequest, person: Person, place: tuple[UUID, datetime] | None
    ) -> tuple[Outcome, Reason | None]:
        if request.reading.status is PassStatus.STALE:
            return Outcome.REFUSED, Reason.EXPIRED_PASS
        if person.used(request.reading.issued_at, Outcome.ENTERED):
            return Outcome.REFUSED, Reason.USED_PASS
        inside = place is not None and place[0] == request.gym_id
        if inside and place is not None and self.world.clock.now - place[1] < REENTRY:
            return Outcome.REFUSED, Reason.ALREADY_INSIDE
        taken = sum(1 for other in self.people.values() if (other.place() or (None,))[0] == request.gym_id)
        if taken - inside >= CAPACITY:
            return Outcome.REFUSED, Reason.GYM_FULL
        return Outcome.ENTERED, None


class DoorAtLength(Door):
    """The same test with many more examples."""


# Examples of 50 steps each: two thousand steps with every change, thirty thousand in the soak.
Door.TestCase.settings = settings(max_examples=40, stateful_step_count=50, deadline=None)
DoorAtLength.TestCase.settings = settings(max_examples=600, stateful_step_count=50, deadline=None)
TestDoor = Door.TestCase
TestDoorAtLength = pytest.mark.soak("stateful")(pytest.mark.timeout(900)(DoorAtLength.TestCase))
