"""Passes that are good for minutes: each admits once in its whole life, whatever gates and uploads do meanwhile."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain.door.model import Conflict, Direction, OfflineAnswer, Outcome, PassReading, Reason
from domain.passes import LONGEST_VALIDITY, issue_times, status_of
from tests.world import World

ENTER, LEAVE, AUTO = Direction.ENTER, Direction.LEAVE, Direction.AUTO
ENTERED, LEFT, USED, EXPIRED = Outcome.ENTERED, Outcome.LEFT, Reason.USED_PASS, Reason.EXPIRED_PASS
LONGEST_S = int(LONGEST_VALIDITY.total_seconds())
DIRECTIONS = [ENTER, AUTO]


class LongLived:
    """A pass that was drawn at one time and is shown at others."""

    def __init__(self, world: World, member: UUID, validity_s: int = LONGEST_S, ahead_s: float = 0) -> None:
        self._world = world
        self._member = member
        self._validity_s = validity_s
        [self.issued_at] = issue_times(world.clock() + timedelta(seconds=ahead_s))

    def now(self) -> PassReading:
        """What it is read as now."""
        validity = timedelta(seconds=self._validity_s)
        status = status_of(self.issued_at, self._world.clock(), validity)
        return PassReading(status, self._member, self.issued_at, self._validity_s)


def said(world: World, gym: UUID, reading: PassReading, direction: Direction = ENTER) -> Outcome | Reason:
    answer = world.answer(world.scan(gym, reading, direction))
    return answer.reason or answer.outcome


def uploaded(world: World, gym: UUID, reading: PassReading, direction: Direction, ago: float) -> Conflict | None:
    (answer,) = world.ask(world.offline(gym, reading, direction, ago))
    assert isinstance(answer, OfflineAnswer)
    return answer.conflict


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_it_admits_until_its_end_and_no_longer(world: World, direction: Direction) -> None:
    gym, (one, other) = world.gym(), world.members(2)
    shown, late = LongLived(world, one), LongLived(world, other)
    world.clock.forward(LONGEST_S)
    assert said(world, gym, shown.now(), direction) is ENTERED
    world.clock.forward(1)
    assert said(world, gym, late.now(), direction) is EXPIRED


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("after_s", [16, 61, 300, LONGEST_S - 61])
def test_once_it_has_admitted_it_admits_nowhere_again(world: World, direction: Direction, after_s: int) -> None:
    gym, elsewhere, member = world.gym(), world.gym(), world.member()
    shown = LongLived(world, member)
    assert said(world, gym, shown.now(), direction) is ENTERED
    world.clock.forward(20)
    assert said(world, gym, world.code(member), LEAVE) is LEFT
    world.clock.forward(after_s)
    for anywhere in (elsewhere, gym):
        assert said(world, anywhere, shown.now(), direction) is USED


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("after_s", [16, 61, 300, LONGEST_S - 61])
def test_once_it_has_let_somebody_out_it_lets_nobody_in(world: World, direction: Direction, after_s: int) -> None:
    gym, elsewhere, member = world.gym(), world.gym(), world.member()
    assert said(world, gym, world.code(member)) is ENTERED
    world.clock.forward(40)
    shown = LongLived(world, member)
    assert said(world, gym, shown.now(), AUTO) is LEFT
    world.clock.forward(after_s)
    for anywhere in (elsewhere, gym):
        assert said(world, anywhere, shown.now(), direction) is USED
    assert said(world, gym, world.code(member), direction) is ENTERED, "another code is as good as ever"


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_of_a_heap_of_them_one_admits(world: World, direction: Direction) -> None:
    gym, elsewhere, member = world.gym(), world.gym(), world.member()
    heap = []
    for _ in range(4):
        heap.append(LongLived(world, member))
        world.clock.forward(15)
    assert said(world, gym, heap[2].now(), direction) is ENTERED
    world.clock.forward(5)
    assert said(world, gym, heap[3].now(), direction) is USED, "nor right behind their owner's back"
    assert said(world, gym, world.code(member), LEAVE) is LEFT
    world.clock.forward(60)
    for each in heap:
        for anywhere in (elsewhere, gym):
            assert said(world, anywhere, each.now(), direction) is USED
    assert said(world, gym, LongLived(world, member).now(), direction) is ENTERED


def test_any_entry_uses_up_those_that_were_issued_before_it(world: World) -> None:
    gym, elsewhere, member = world.gym(), world.gym(), world.member()
    shown = LongLived(world, member)
    world.clock.forward(30)
    assert said(world, gym, world.code(member)) is ENTERED
    world.clock.forward(400)
    assert said(world, elsewhere, shown.now()) is USED
    assert said(world, gym, shown.now(), LEAVE) is LEFT, "exit is never refused"


def test_a_code_that_got_a_repeated_answer_is_used(world: World) -> None:
    gym, elsewhere, member = world.gym(), world.gym(), world.member()
    assert said(world, gym, world.code(member)) is ENTERED
    world.clock.forward(30)
    assert said(world, gym, world.code(member), LEAVE) is LEFT
    world.clock.forward(60)
    shown = LongLived(world, member)
    answers = [world.answer(world.scan(gym, shown.now(), ENTER)) for _ in range(2)]
    assert [(one.outcome, one.replayed) for one in answers] == [(ENTERED, False), (ENTERED, True)]
    world.clock.forward(500)
    assert said(world, elsewhere, shown.now()) is USED


def test_one_batch_admits_one_of_them(world: World) -> None:
    gym, elsewhere, member = world.gym(), world.gym(), world.member()
    one = LongLived(world, member)
    world.clock.forward(15)
    other = LongLived(world, member)
    world.clock.forward(60)
    answers = world.ask(
        world.scan(gym, one.now(), ENTER),
        world.scan(elsewhere, one.now(), ENTER),
        world.scan(elsewhere, other.now(), ENTER),
    )
    assert [getattr(each, "reason", "") for each in answers] == [None, USED, USED]


def test_an_annulled_scan_gives_it_back(world: World) -> None:
    gym, member = world.gym(), world.member()
    shown = LongLived(world, member)
    scan = world.scan(gym, shown.now(), ENTER)
    assert world.answer(scan).outcome is ENTERED
    world.ask(world.annulment(gym, scan.scan_id))
    world.clock.forward(100)
    assert said(world, gym, shown.now()) is ENTERED


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_door_that_was_cut_off_uses_it_up_once_it_has_uploaded(world: World, direction: Direction) -> None:
    gym, elsewhere, member = world.gym(), world.gym(), world.member()
    shown = LongLived(world, member)
    world.clock.forward(40)
    assert uploaded(world, gym, shown.now(), ENTER, ago=20) is None
    world.clock.forward(100)
    assert said(world, gym, world.code(member), LEAVE) is LEFT
    world.clock.forward(100)
    assert said(world, elsewhere, shown.now(), direction) is USED


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_an_upload_that_makes_no_visit_uses_it_up_too(world: World, direction: Direction) -> None:
    """A later scan at a gate was decided first, so the upload is a conflict: it has let somebody in all the same."""
    gym, elsewhere, member = world.gym(), world.gym(), world.member()
    shown = LongLived(world, member)
    world.clock.forward(30)
    assert said(world, elsewhere, world.code(member), LEAVE) is LEFT
    world.clock.forward(5)
    assert uploaded(world, gym, shown.now(), ENTER, ago=25) is Conflict.LATER_SCAN
    world.clock.forward(200)
    assert said(world, gym, shown.now(), direction) is USED


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_an_exit_that_is_uploaded_uses_it_up(world: World, direction: Direction) -> None:
    gym, member = world.gym(), world.member()
    assert said(world, gym, world.code(member)) is ENTERED
    world.clock.forward(60)
    shown = LongLived(world, member)
    world.clock.forward(30)
    assert uploaded(world, gym, shown.now(), LEAVE, ago=20) is None
    world.clock.forward(200)
    assert said(world, gym, shown.now(), direction) is USED


def test_what_a_gate_has_admitted_is_a_conflict_when_a_door_uploads_it(world: World) -> None:
    gym, elsewhere, member = world.gym(), world.gym(), world.member()
    shown = LongLived(world, member)
    assert said(world, gym, shown.now()) is ENTERED
    world.clock.forward(30)
    assert uploaded(world, elsewhere, shown.now(), ENTER, ago=1) is Conflict.USED_PASS


def test_an_entry_uploaded_late_uses_up_nothing_that_was_issued_after_it(world: World) -> None:
    gym, member = world.gym(), world.member()
    entered = world.code(member)
    world.clock.forward(45)
    left = world.code(member)
    world.clock.forward(600)
    shown = LongLived(world, member)
    world.clock.forward(60)
    assert uploaded(world, gym, entered, ENTER, ago=705) is None
    assert uploaded(world, gym, left, LEAVE, ago=655) is None
    assert said(world, gym, shown.now()) is ENTERED


@pytest.mark.parametrize("ahead_s", [-10, 0, 10])
def test_a_clock_that_differs_makes_no_second_entry(world: World, ahead_s: float) -> None:
    """The server that issues it may be ten seconds ahead of, or behind, the one that decides."""
    gym, elsewhere, member = world.gym(), world.gym(), world.member()
    world.clock.now = world.clock.now.replace(second=0)
    shown, another = LongLived(world, member, ahead_s=ahead_s), LongLived(world, member, ahead_s=ahead_s + 5)
    world.clock.forward(1)
    assert said(world, gym, shown.now()) is ENTERED
    world.clock.forward(20)
    assert said(world, gym, world.code(member), LEAVE) is LEFT
    world.clock.forward(300)
    for each in (shown, another):
        assert said(world, elsewhere, each.now()) is USED


def test_an_ordinary_code_of_the_same_moment_is_no_second_one(world: World) -> None:
    gym, elsewhere, member = world.gym(), world.gym(), world.member()
    shown = LongLived(world, member)
    ordinary = replace(shown.now(), validity_s=None)
    assert said(world, gym, ordinary) is ENTERED
    assert said(world, elsewhere, shown.now()) is USED


def test_of_an_ordinary_code_nothing_more_is_asked(world: World) -> None:
    gym, elsewhere, member = world.gym(), world.gym(), world.member()
    first: datetime = world.clock()
    assert said(world, gym, world.code(member)) is ENTERED
    world.clock.forward(20)
    assert said(world, elsewhere, world.code(member)) is ENTERED, "the next code of a phone, within seconds"
    assert world.clock() - first == timedelta(seconds=20)
