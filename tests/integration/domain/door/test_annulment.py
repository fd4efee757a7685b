"""An annulled scan leaves pass, visit and count as if it had not been, on both kinds of store."""

import json

from sqlalchemy import select

from domain.door.list_repository import ListRepository
from domain.door.model import AnnulAnswer, Direction, Inferred, Outcome, Problem, Reason, Rejected, ScanAnswer
from domain.door.reconcile import disagreements
from domain.door.tables import open_visits, visits
from domain.outbox import outbox
from domain.paging import PageRequest
from tests.world import START, World

ENTER, LEAVE = Direction.ENTER, Direction.LEAVE


def test_annulment_of_an_entry_takes_it_back_and_frees_the_pass(world: World) -> None:
    gym = world.gym()
    member = world.member()
    request = world.scan(gym, world.code(member), ENTER)
    world.answer(request)
    (answer,) = world.ask(world.annulment(gym, request.scan_id))
    assert isinstance(answer, AnnulAnswer)
    assert (answer.occupancy, world.inside(gym)) == (0, [])
    again = world.answer(world.scan(gym, request.reading, ENTER))
    assert (again.outcome, again.replayed) == (Outcome.ENTERED, False)
    with world.store.reading() as connection:
        assert disagreements(connection) == []


def test_annulment_of_an_exit_puts_the_member_back_inside(world: World) -> None:
    gym = world.gym()
    member = world.member()
    world.answer(world.scan(gym, world.code(member), ENTER))
    world.clock.forward(600)
    leave = world.scan(gym, world.code(member), LEAVE)
    world.answer(leave)
    world.ask(world.annulment(gym, leave.scan_id))
    assert world.inside(gym) == [member]
    with world.store.reading() as connection:
        assert connection.execute(select(open_visits.c.entered_at)).scalar_one() == START
        assert disagreements(connection) == []


def test_annulment_of_an_exit_may_exceed_the_capacity_and_says_so(world: World) -> None:
    gym = world.gym(capacity=1)
    first, second = world.members(2)
    world.answer(world.scan(gym, world.code(first), ENTER))
    world.clock.forward(60)
    leave = world.scan(gym, world.code(first), LEAVE)
    world.answer(leave)
    entry = world.scan(gym, world.code(second), ENTER)
    assert world.answer(entry).outcome is Outcome.ENTERED
    (answer,) = world.ask(world.annulment(gym, leave.scan_id))
    assert isinstance(answer, AnnulAnswer)
    assert (answer.occupancy, answer.capacity, answer.over_capacity) == (2, 1, True)
    with world.store.reading() as connection:
        listed = ListRepository(connection).inside(gym, PageRequest(10, None)).items
        called = ListRepository(connection).roll_call(gym, 10)
    assert [one.over_capacity for one in listed] == [True, True]
    assert called is not None
    assert [one.over_capacity for one in called.inside] == [True, True]
    (answer,) = world.ask(world.annulment(gym, entry.scan_id))
    assert isinstance(answer, AnnulAnswer)
    assert (answer.occupancy, answer.over_capacity) == (1, False)
    with world.store.reading() as connection:
        assert [one.over_capacity for one in ListRepository(connection).inside(gym, PageRequest(10, None)).items] == [
            False
        ]


def test_annulment_of_an_entry_elsewhere_opens_the_first_visit_again(world: World) -> None:
    first, second = world.gym(), world.gym()
    member = world.member()
    world.answer(world.scan(first, world.code(member), ENTER))
    world.clock.forward(60)
    elsewhere = world.scan(second, world.code(member), ENTER)
    world.answer(elsewhere)
    world.ask(world.annulment(second, elsewhere.scan_id))
    assert (world.inside(first), world.inside(second)) == ([member], [])


def test_annulment_of_an_exit_before_another_entry_ends_the_visit_there(world: World) -> None:
    gym = world.gym()
    member = world.member()
    world.answer(world.scan(gym, world.code(member), ENTER))
    world.clock.forward(100)
    leave = world.scan(gym, world.code(member), LEAVE)
    world.answer(leave)
    world.clock.forward(100)
    world.answer(world.scan(gym, world.code(member), ENTER))
    world.ask(world.annulment(gym, leave.scan_id))
    assert world.inside(gym) == [member]
    with world.store.reading() as connection:
        first, second = connection.execute(select(visits).order_by(visits.c.id)).all()
        assert (first.left_at, first.inferred) == (second.entered_at, Inferred.ENTERED_AGAIN)
        assert disagreements(connection) == []


def test_annulment_of_an_exit_frees_the_visit_that_another_annulment_gave_it_to_end(world: World) -> None:
    gym = world.gym()
    member = world.member()
    world.answer(world.scan(gym, world.code(member), ENTER))
    world.clock.forward(1000)
    again = world.scan(gym, world.code(member), ENTER)
    world.answer(again)
    world.clock.forward(100)
    leave = world.scan(gym, world.code(member), LEAVE)
    world.answer(leave)
    world.ask(world.annulment(gym, again.scan_id, by_staff=True))
    assert world.inside(gym) == []
    world.ask(world.annulment(gym, leave.scan_id))
    assert world.inside(gym) == [member]
    with world.store.reading() as connection:
        assert connection.execute(select(open_visits.c.entered_at)).scalar_one() == START
        assert disagreements(connection) == []


def test_annulment_of_an_entry_that_was_given_again_leaves_the_member_inside_by_the_second_scan(world: World) -> None:
    gym = world.gym()
    member = world.member()
    first = world.scan(gym, world.code(member))
    world.answer(first)
    world.clock.forward(5)
    again = world.scan(gym, world.code(member))
    assert world.answer(again).replayed
    world.ask(world.annulment(gym, first.scan_id))
    assert world.inside(gym) == [member]
    world.clock.forward(16)
    assert world.answer(world.scan(gym, first.reading, ENTER)).reason is Reason.USED_PASS
    world.ask(world.annulment(gym, again.scan_id))
    assert world.inside(gym) == []
    with world.store.reading() as connection:
        assert disagreements(connection) == []


def test_annulment_of_an_exit_that_was_given_again_leaves_the_member_outside(world: World) -> None:
    gym = world.gym()
    member = world.member()
    world.answer(world.scan(gym, world.code(member), ENTER))
    world.clock.forward(60)
    first = world.scan(gym, world.code(member), LEAVE)
    world.answer(first)
    world.clock.forward(5)
    again = world.scan(gym, world.code(member), LEAVE)
    assert world.answer(again).replayed
    world.ask(world.annulment(gym, first.scan_id))
    assert world.inside(gym) == []
    world.ask(world.annulment(gym, again.scan_id))
    assert world.inside(gym) == [member]
    with world.store.reading() as connection:
        assert disagreements(connection) == []


def test_annulment_of_an_entry_elsewhere_is_told_to_the_gym_whose_visit_goes_on(world: World) -> None:
    first, second = world.gym(), world.gym()
    member = world.member()
    world.answer(world.scan(first, world.code(member), ENTER))
    world.clock.forward(60)
    elsewhere = world.scan(second, world.code(member), ENTER)
    world.answer(elsewhere)
    world.ask(world.annulment(second, elsewhere.scan_id))
    with world.store.reading() as connection:
        payloads = connection.execute(select(outbox.c.payload).where(outbox.c.key == str(first))).scalars().all()
    assert [json.loads(payload)["type"] for payload in payloads] == [
        "scan_decided",
        "visit_inferred",
        "visit_reopened",
    ]


def test_annulment_twice_gives_the_same_answer(world: World) -> None:
    gym = world.gym()
    request = world.scan(gym, world.code(world.member()), ENTER)
    world.answer(request)
    first = world.ask(world.annulment(gym, request.scan_id))
    world.clock.forward(10)
    assert world.ask(world.annulment(gym, request.scan_id)) == first


def test_an_annulled_scan_opens_no_door_when_it_is_repeated(world: World) -> None:
    gym = world.gym()
    request = world.scan(gym, world.code(world.member()), ENTER)
    world.answer(request)
    world.ask(world.annulment(gym, request.scan_id))
    again = world.answer(request)
    assert (again.outcome, again.reason, again.replayed) == (Outcome.REFUSED, Reason.TOO_LATE, True)


def test_annulment_of_a_scan_never_seen_leaves_a_tombstone_that_refuses_it(world: World) -> None:
    gym = world.gym()
    request = world.scan(gym, world.code(world.member()), ENTER)
    results = world.ask(world.annulment(gym, request.scan_id), request)
    assert isinstance(results[0], AnnulAnswer)
    assert isinstance(results[1], ScanAnswer)
    assert results[1].reason is Reason.TOO_LATE
    assert world.inside(gym) == []


def test_a_device_has_fifteen_minutes_and_staff_have_for_ever(world: World) -> None:
    gym = world.gym()
    request = world.scan(gym, world.code(world.member()), ENTER)
    world.answer(request)
    world.clock.forward(901)
    (late,) = world.ask(world.annulment(gym, request.scan_id))
    assert isinstance(late, Rejected)
    assert late.problem is Problem.ANNUL_WINDOW_OVER
    (by_staff,) = world.ask(world.annulment(gym, request.scan_id, by_staff=True))
    assert isinstance(by_staff, AnnulAnswer)


def test_an_annulled_answer_is_not_repeated(world: World) -> None:
    gym = world.gym()
    member = world.member()
    request = world.scan(gym, world.code(member))
    world.answer(request)
    world.ask(world.annulment(gym, request.scan_id))
    world.clock.forward(5)
    answer = world.answer(world.scan(gym, world.code(member)))
    assert (answer.outcome, answer.replayed, len(world.inside(gym))) == (Outcome.ENTERED, False, 1)
