"""A deleted account gets no way in, and the door ends the visit that is open, on both kinds of store."""

import json
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from domain.door.model import (
    Direction,
    EndVisitAnswer,
    EndVisitRequest,
    Inferred,
    Outcome,
    Problem,
    Reason,
    Rejected,
    Remedy,
    ScanAnswer,
)
from domain.door.reconcile import disagreements
from domain.door.tables import scans, visits
from domain.identity.personal_data_service import begin_deleting, finish_deleting
from domain.identity.tables import users
from domain.ids import new_id
from domain.outbox import outbox
from tests.world import World

ENTER, LEAVE, AUTO = Direction.ENTER, Direction.LEAVE, Direction.AUTO


def ending(world: World, member: UUID, gym: UUID, *, deadline_s: float = 1.8) -> EndVisitRequest:
    now = world.clock.now
    return EndVisitRequest(member, gym, Inferred.ACCOUNT_DELETED, now, now + timedelta(seconds=deadline_s))


def ended(world: World, request: EndVisitRequest) -> EndVisitAnswer:
    (answer,) = world.ask(request)
    assert isinstance(answer, EndVisitAnswer)
    return answer


def mark(world: World, member: UUID) -> UUID | None:
    with world.store.writing() as connection:
        gym_id = begin_deleting(connection, member, member, world.clock.now)
    assert gym_id is None or isinstance(gym_id, UUID)
    return gym_id


def forget(world: World, member: UUID) -> None:
    with world.store.writing() as connection:
        finish_deleting(connection, member, world.clock.now)


def delete(world: World, member: UUID) -> None:
    gym_id = mark(world, member)
    if gym_id is not None:
        ended(world, ending(world, member, gym_id))
    forget(world, member)


def disable(world: World, member: UUID) -> None:
    with world.store.writing() as connection:
        connection.execute(update(users).where(users.c.id == member).values(disabled_at=world.clock.now))


def told(world: World) -> list[dict[str, object]]:
    with world.store.reading() as connection:
        return [json.loads(row.payload) for row in connection.execute(select(outbox).order_by(outbox.c.id))]


def agrees(world: World) -> None:
    with world.store.reading() as connection:
        assert disagreements(connection) == []


def test_an_open_visit_ends_without_a_scan_and_an_event_is_published(world: World) -> None:
    gym = world.gym(9)
    member, other = world.members(2)
    for one in (member, other):
        world.answer(world.scan(gym, world.code(one), ENTER))
    world.clock.forward(600)
    assert mark(world, member) == gym
    answer = ended(world, ending(world, member, gym))
    assert answer == EndVisitAnswer(member, gym, True, 1, 9, world.clock.now)  # noqa: FBT003 - ended
    assert world.inside(gym) == [other]
    with world.store.reading() as connection:
        visit = connection.execute(select(visits).where(visits.c.member_id == member)).one()
        assert (visit.left_at, visit.left_scan, visit.inferred) == (world.clock.now, None, Inferred.ACCOUNT_DELETED)
    event = told(world)[-1]
    del event["event_id"]
    assert datetime.fromisoformat(str(event.pop("left_at"))) == world.clock.now
    assert datetime.fromisoformat(str(event.pop("entered_at"))) == visit.entered_at
    assert event == {
        "type": "visit_inferred",
        "version": 1,
        "gym_id": str(gym),
        "visit_id": str(visit.id),
        "member_id": str(member),
        "inferred": "account_deleted",
    }
    agrees(world)


def test_the_ending_of_a_visit_may_be_repeated(world: World) -> None:
    gym = world.gym()
    member = world.member()
    world.answer(world.scan(gym, world.code(member), ENTER))
    mark(world, member)
    request = ending(world, member, gym)
    first = ended(world, request)
    world.clock.forward(3)
    events = len(told(world))
    again, twin = world.ask(request, request)
    assert isinstance(again, EndVisitAnswer)
    assert isinstance(twin, EndVisitAnswer)
    assert (first.ended, again.ended, twin.ended, again.occupancy) == (True, False, False, 0)
    assert len(told(world)) == events
    with world.store.reading() as connection:
        assert connection.execute(select(visits.c.left_at)).scalar_one() == first.decided_at


def test_a_visit_is_ended_however_late_the_command_comes(world: World) -> None:
    gym = world.gym()
    member = world.member()
    world.answer(world.scan(gym, world.code(member), ENTER))
    mark(world, member)
    assert ended(world, ending(world, member, gym, deadline_s=-100)).ended
    assert world.inside(gym) == []


def test_a_visit_at_another_gym_is_left_alone(world: World) -> None:
    here, there = world.gym(), world.gym()
    member = world.member()
    world.answer(world.scan(here, world.code(member), ENTER))
    assert not ended(world, ending(world, member, there)).ended
    assert world.inside(here) == [member]


def test_a_visit_of_nobody_who_is_known_is_not_there_to_be_ended(world: World) -> None:
    assert not ended(world, ending(world, new_id(), world.gym())).ended


def test_a_visit_cannot_be_ended_at_a_gym_that_does_not_exist(world: World) -> None:
    (answer,) = world.ask(ending(world, world.member(), new_id()))
    assert isinstance(answer, Rejected)
    assert answer.problem is Problem.UNKNOWN_GYM


def test_a_visit_that_begins_in_the_same_batch_is_ended_after_it(world: World) -> None:
    gym = world.gym(1)
    member, other = world.members(2)
    before = world.scan(gym, world.code(member), ENTER)
    after = world.scan(gym, world.code(other), ENTER)
    entered, end, next_one = world.ask(before, ending(world, member, gym), after)
    assert isinstance(entered, ScanAnswer)
    assert isinstance(end, EndVisitAnswer)
    assert isinstance(next_one, ScanAnswer)
    assert (entered.outcome, end.ended, end.occupancy) == (Outcome.ENTERED, True, 0)
    assert next_one.outcome is Outcome.ENTERED, "the place is free for whoever comes after"
    assert world.inside(gym) == [other]
    agrees(world)


@pytest.mark.parametrize("direction", [ENTER, AUTO])
def test_a_deleted_account_gets_no_way_in_from_the_moment_it_is_marked(world: World, direction: Direction) -> None:
    gym = world.gym()
    member = world.member()
    mark(world, member)
    request = world.scan(gym, world.code(member), direction)
    answer = world.answer(request)
    assert (answer.outcome, answer.reason, answer.remedy, answer.member) == (
        Outcome.REFUSED,
        Reason.UNKNOWN_PASS,
        Remedy.OPEN_APP,
        None,
    )
    assert world.inside(gym) == []
    assert told(world)[-1]["member_id"] is None


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_scan_of_a_deleted_account_is_kept_without_it_and_answered_the_same_again(
    world: World, *, forgotten: bool
) -> None:
    gym = world.gym()
    member = world.member()
    mark(world, member)
    if forgotten:
        forget(world, member)
    request = world.scan(gym, world.code(member), ENTER)
    first, again = world.answer(request), world.answer(request)
    assert (again.reason, again.member, again.replayed) == (first.reason, None, True)
    with world.store.reading() as connection:
        assert connection.execute(select(scans.c.member_id)).scalars().all() == [None]
    agrees(world)


def test_no_answer_is_repeated_after_the_account_is_deleted(world: World) -> None:
    gym = world.gym()
    member = world.member()
    world.answer(world.scan(gym, world.code(member), ENTER))
    mark(world, member)
    world.clock.forward(2)
    assert world.answer(world.scan(gym, world.code(member), ENTER)).reason is Reason.UNKNOWN_PASS


def test_whoever_deleted_the_account_while_inside_may_leave(world: World) -> None:
    gym = world.gym()
    member = world.member()
    world.answer(world.scan(gym, world.code(member), ENTER))
    world.clock.forward(60)
    mark(world, member)
    assert world.answer(world.scan(gym, world.code(member), LEAVE)).outcome is Outcome.LEFT
    assert ended(world, ending(world, member, gym)).ended
    forget(world, member)
    assert world.answer(world.scan(gym, world.code(member), LEAVE)).outcome is Outcome.LEFT
    assert world.inside(gym) == []
    agrees(world)


def test_an_annulment_does_not_put_a_deleted_account_back_inside(world: World) -> None:
    first, second = world.gym(), world.gym()
    member = world.member()
    world.answer(world.scan(first, world.code(member), ENTER))
    world.clock.forward(60)
    elsewhere = world.scan(second, world.code(member), ENTER)
    world.answer(elsewhere)
    world.clock.forward(60)
    mark(world, member)
    deleted_at = world.clock.now
    world.clock.forward(5)
    world.ask(world.annulment(second, elsewhere.scan_id))
    assert (world.inside(first), world.inside(second)) == ([], [])
    with world.store.reading() as connection:
        kept = connection.execute(select(visits).where(visits.c.gym_id == first)).one()
    assert (kept.left_at, kept.left_scan, kept.inferred) == (deleted_at, None, Inferred.ACCOUNT_DELETED)
    assert not ended(world, ending(world, member, second)).ended
    forget(world, member)
    agrees(world)


@pytest.mark.parametrize("last", ["entry", "exit"])
@pytest.mark.parametrize("repeated", [False, True])
def test_a_scan_of_a_forgotten_account_may_be_annulled(world: World, last: str, *, repeated: bool) -> None:
    gym = world.gym()
    member = world.member()
    entry = world.scan(gym, world.code(member), ENTER)
    world.answer(entry)
    annulled, again = entry, world.scan(gym, world.code(member), ENTER)
    if last == "exit":
        world.clock.forward(60)
        annulled = world.scan(gym, world.code(member), LEAVE)
        world.answer(annulled)
        again = world.scan(gym, world.code(member), LEAVE)
    if repeated:
        assert world.answer(again).replayed
    delete(world, member)
    for request in (annulled, again) if repeated else (annulled,):
        world.ask(world.annulment(gym, request.scan_id, by_staff=True))
        assert world.inside(gym) == []
        agrees(world)
    with world.store.reading() as connection:
        visit = connection.execute(select(visits)).one()
    assert (visit.annulled_at is not None) == (last == "entry")
    assert visit.left_at is not None


def test_a_disabled_account_is_refused_as_banned(world: World) -> None:
    gym = world.gym()
    member = world.member()
    disable(world, member)
    answer = world.answer(world.scan(gym, world.code(member), ENTER))
    assert (answer.outcome, answer.reason, answer.remedy) == (Outcome.REFUSED, Reason.BANNED, Remedy.ASK_STAFF)
    with world.store.writing() as connection:
        connection.execute(update(users).where(users.c.id == member).values(disabled_at=None))
    assert world.answer(world.scan(gym, world.code(member), ENTER)).outcome is Outcome.ENTERED


def test_a_disabled_account_may_leave(world: World) -> None:
    gym = world.gym()
    member = world.member()
    world.answer(world.scan(gym, world.code(member), ENTER))
    disable(world, member)
    world.clock.forward(60)
    assert world.answer(world.scan(gym, world.code(member))).outcome is Outcome.LEFT
    assert world.inside(gym) == []
