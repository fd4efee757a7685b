"""A batch of scans, decided on a loaded state without a database: each decision sees those before it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from domain.door.events import MachineFreed, ScanDecided, VisitInferred
from domain.door.machine_model import OpenUse, UseEnded
from domain.door.model import (
    CheckPayment,
    Direction,
    DoorLimits,
    DoorResult,
    Inferred,
    Outcome,
    PassReading,
    PassStatus,
    Problem,
    Reason,
    Rejected,
    ScanAnswer,
    ScanRequest,
    ShownMember,
)
from domain.door.scan_batch import decide_scans
from domain.door.state import (
    DoorState,
    LoadedGyms,
    LoadedMembers,
    LockedGym,
    LockedMember,
    LockedRows,
    OpenVisit,
    RecentScans,
    ScanChanges,
)
from domain.memberships.model import HeldMembership

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
COMPANY, GYM, OTHER_GYM, GATE, DEVICE = (uuid4() for _ in range(5))
MIA, BEN = uuid4(), uuid4()
ENTER, LEAVE = Direction.ENTER, Direction.LEAVE


def door(capacity: int = 10, members: LoadedMembers | None = None) -> DoorState:
    """Two gyms and two members with good memberships, nobody inside."""
    gyms = {
        id_: LockedGym(id_, COMPANY, capacity, timedelta(minutes=15), "Europe/Berlin", retired=False)
        for id_ in (GYM, OTHER_GYM)
    }
    people = {id_: LockedMember(ShownMember(id_, "Mia", None), banned=False, deleted=False) for id_ in (MIA, BEN)}
    loaded = members or LoadedMembers()
    month = timedelta(days=30)
    for id_ in people:
        held = HeldMembership(NOW - month, NOW + month, timedelta(), None, None, False, COMPANY, True)  # noqa: FBT003
        loaded.memberships.setdefault(id_, [held])
    occupancy: dict[UUID, int] = {}
    for visit in loaded.open_visits.values():
        occupancy[visit.gym_id] = occupancy.get(visit.gym_id, 0) + 1
    return DoorState(
        LockedRows(gyms, people, frozenset()), LoadedGyms(occupancy=occupancy), loaded, RecentScans(), stored={}
    )


def scan(
    member: UUID, direction: Direction = ENTER, gym: UUID = GYM, scan_id: str | None = None, issued_s: int = 0
) -> ScanRequest:
    reading = PassReading(PassStatus.VALID, member, NOW + timedelta(seconds=issued_s))
    deadline = NOW + timedelta(seconds=1.8)
    return ScanRequest(scan_id or str(uuid4()), DEVICE, gym, GATE, direction, reading, NOW, deadline)


def decided(state: DoorState, *requests: ScanRequest) -> tuple[list[DoorResult], ScanChanges]:
    return decide_scans(requests, state, NOW, DoorLimits())


def outcomes(results: list[DoorResult]) -> list[tuple[Outcome, Reason | None]]:
    answers = [result for result in results if isinstance(result, ScanAnswer)]
    assert len(answers) == len(results)
    return [(answer.outcome, answer.reason) for answer in answers]


def test_the_last_place_is_given_to_the_first_scan() -> None:
    results, changes = decided(door(capacity=1), scan(MIA), scan(BEN))
    assert outcomes(results) == [(Outcome.ENTERED, None), (Outcome.REFUSED, Reason.GYM_FULL)]
    assert len(changes.new_visits) == 1
    assert [row.answer.occupancy for row in changes.scans] == [1, 1]


def test_a_visit_that_begins_and_ends_in_one_batch_is_one_new_row() -> None:
    results, changes = decided(door(), scan(MIA), scan(MIA, LEAVE, issued_s=15))
    assert outcomes(results) == [(Outcome.ENTERED, None), (Outcome.LEFT, None)]
    (visit,) = changes.new_visits.values()
    assert visit.left_at is not None
    assert visit.left_scan == changes.scans[1].id
    assert changes.visit_ends == []


def test_a_scan_id_twice_in_a_batch_gets_the_first_answer() -> None:
    (first, second, other), changes = decided(
        door(), scan(MIA, scan_id="one"), scan(MIA, scan_id="one"), scan(MIA, LEAVE, scan_id="one")
    )
    assert isinstance(first, ScanAnswer)
    assert isinstance(second, ScanAnswer)
    assert (second.decided_at, second.replayed) == (first.decided_at, True)
    assert isinstance(other, Rejected)
    assert other.problem is Problem.SCAN_ID_REUSED
    assert len(changes.scans) == 1


def test_entering_elsewhere_ends_the_visit_and_frees_the_machine() -> None:
    visit = OpenVisit(uuid4(), OTHER_GYM, NOW - timedelta(hours=1))
    use = OpenUse(uuid4(), uuid4(), OTHER_GYM, MIA, visit.visit_id, NOW - timedelta(minutes=5))
    state = door(members=LoadedMembers(open_visits={MIA: visit}, machine_uses={visit.visit_id: use}))
    results, changes = decided(state, scan(MIA))
    assert outcomes(results) == [(Outcome.ENTERED, None)]
    assert [(end.visit_id, end.inferred) for end in changes.visit_ends] == [
        (visit.visit_id, Inferred.ENTERED_ELSEWHERE)
    ]
    assert [(end.use, end.inferred) for end in changes.ended_uses] == [(use, UseEnded.LEFT_GYM)]
    assert {type(event) for event in changes.events} == {VisitInferred, MachineFreed, ScanDecided}
    assert state.gyms.occupancy == {GYM: 1, OTHER_GYM: 0}


def test_a_scan_whose_payment_is_checked_first_changes_nothing() -> None:
    state = door(members=LoadedMembers(memberships={MIA: []}, paying={MIA}))
    request = scan(MIA)
    results, changes = decided(state, request)
    assert results == [CheckPayment(request.scan_id, MIA)]
    assert changes == ScanChanges()


def test_a_member_s_second_scan_is_later_than_the_first_by_a_clock_that_was_ahead() -> None:
    ahead = NOW + timedelta(seconds=3)
    state = door(members=LoadedMembers(open_visits={MIA: OpenVisit(uuid4(), GYM, ahead)}))
    (answer,), changes = decided(state, scan(MIA, LEAVE))
    assert isinstance(answer, ScanAnswer)
    assert answer.decided_at > ahead
    assert changes.visit_ends[0].left_at == answer.decided_at


def test_a_scan_at_an_unknown_gym_is_rejected() -> None:
    (result,), changes = decided(door(), scan(MIA, gym=uuid4()))
    assert isinstance(result, Rejected)
    assert result.problem is Problem.UNKNOWN_GYM
    assert changes.scans == []
