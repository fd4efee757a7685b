"""A rush against a door that decides as the stack does."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cluster.load.figures import Figures
from cluster.load.http_client import NoResponseError, Response
from cluster.load.rush.chart import draw
from cluster.load.rush.log import RushLog, Stage
from cluster.load.rush.rush import Rush, spec_of
from cluster.load.rush.simulated_clock import SimulatedClock
from cluster.load.rush.summary import check_invariants, lines_of, summarize
from cluster.load.rush.visitors import Oddity, RushOptions, Visitor, plan_visitors
from cluster.load.scans import ScanWriter
from cluster.load.seeding import seed
from cluster.load.world import World
from domain.door.model import Outcome, Reason, ScanAnswer
from domain.door.tables import open_visits
from domain.ids import new_id
from domain.unit_of_work import Store
from tests.unit.cluster.load.rush.conftest import OPTIONS, ResponseSender, StoreDoor, retry_later, unchanged, unsigned
from tests.virtual_time import VirtualTimeLoop
from tests.world import START

Seeing = Callable[[Stage, SimulatedClock, RushLog], None]


@dataclass
class Unwatched:
    """Notes the stages.

    Args:
        seeing: is shown each of them too.
    """

    seeing: Seeing = lambda _stage, _pace, _log: None
    seen: tuple[Stage, ...] = ()

    def show(self, stage: Stage, clock: SimulatedClock, log: RushLog) -> None:
        self.seeing(stage, clock, log)
        if stage not in self.seen:
            self.seen += (stage,)


def once_it_runs(then: Callable[[], None]) -> Unwatched:
    """Does something once, when simulated time has begun."""
    done: list[bool] = []

    def seeing(_stage: Stage, clock: SimulatedClock, _log: RushLog) -> None:
        if clock.has_begun and not done:
            done.append(True)
            then()

    return Unwatched(seeing)


@dataclass
class FinishedRush:
    summary: Figures
    log: RushLog
    world: World
    ended: datetime

    @property
    def broken(self) -> set[str]:
        return {each["name"] for each in self.summary["invariants"] if each["holds"] is False}

    @property
    def unknown(self) -> set[str]:
        return {each["name"] for each in self.summary["invariants"] if each["holds"] is None}


def finished(
    store: Store,
    options: RushOptions = OPTIONS,
    answering: ResponseSender = unchanged,
    watcher: Unwatched | None = None,
    patience_s: float = 5.0,
    plan: Callable[[list[Visitor]], list[Visitor]] = lambda visitors: visitors,
    began: datetime = START,
) -> FinishedRush:
    """Run a rush by a clock that moves while everybody waits: phones, doors and visitors have no other."""
    loop = VirtualTimeLoop()

    def clock() -> datetime:
        return began + timedelta(seconds=loop.time())

    visitors = plan(plan_visitors(options.members, options.gyms, options.minutes, options.seed))
    world = seed(store, spec_of(options, visitors), began)
    since, log = new_id(), RushLog()
    door, writer = StoreDoor(store, clock, answering), ScanWriter(unsigned, "127.0.0.1:8000")
    watcher = watcher or Unwatched()
    rush = Rush(options, world, visitors, writer, log, watcher.show, now=clock, patience_s=patience_s)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(rush.run(door))
    found = check_invariants(store, world, log, since)
    summary = summarize(options, log, found, rush.minutes_done, is_interrupted=rush.is_interrupted)
    return FinishedRush(summary, log, world, clock())


def inside(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(open_visits)).scalar_one()


def all_odd(oddity: Oddity) -> Callable[[list[Visitor]], list[Visitor]]:
    return lambda visitors: [
        replace(visitor, oddity=oddity, loses_entry=False) if visitor.arrives >= 0 else visitor for visitor in visitors
    ]


def test_every_answer_is_right_and_everybody_goes_home(store: Store, tmp_path: Path) -> None:
    watcher = Unwatched()
    found = finished(store, watcher=watcher)
    assert (found.broken, found.unknown, found.summary["examples"]) == (set(), set(), [])
    summary = found.summary
    assert summary["is_good"]
    assert summary["entered"] > 10
    assert summary["came_before"] > 10
    assert summary["refused"]
    assert summary["scans"] == summary["entered"] + summary["left"] + summary["held_up"] + sum(
        summary["refused"].values()
    )
    assert summary["let_out"] == summary["came_before"] + summary["entered"] - summary["left"]
    assert (summary["remain_inside"], inside(store)) == (0, 0)
    assert summary["minutes_done"] == OPTIONS.minutes
    assert watcher.seen[-2:] == (Stage.RUSH, Stage.LETTING_OUT)
    png, svg = draw(tmp_path / "new" / "rush.svg", summary, found.log, found.world)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert png.stat().st_size > 20_000
    assert "<svg" in svg.read_text(encoding="utf-8")
    assert "\n".join(lines_of(summary)).count("ok  ") == len(summary["invariants"])


@pytest.mark.parametrize(
    ("oddity", "reason"),
    [
        (Oddity.COPIED, Reason.USED_PASS),
        (Oddity.PASSED_BACK, Reason.ALREADY_INSIDE),
        (Oddity.SCREENSHOT, Reason.EXPIRED_PASS),
        (Oddity.FORGED, Reason.UNKNOWN_PASS),
    ],
)
def test_what_is_not_good_is_refused_and_known_to_be(store: Store, oddity: Oddity, reason: Reason) -> None:
    found = finished(store, replace(OPTIONS, speed=200), plan=all_odd(oddity))
    assert found.broken == set()
    assert found.summary["refused"][reason] > 5


def test_a_phone_held_up_admits_nobody_a_second_time(store: Store) -> None:
    found = finished(store, replace(OPTIONS, speed=200), plan=all_odd(Oddity.HELD_UP))
    assert found.broken == set()
    assert found.summary["held_up"] > 5


def test_a_lost_answer_is_repeated(store: Store) -> None:
    found = finished(store, plan=lambda visitors: [replace(visitor, loses_entry=True) for visitor in visitors])
    assert found.summary["retold"] > 10
    assert found.broken == set()


def test_whoever_stays_is_let_out_by_the_next_rush(store: Store) -> None:
    first = finished(store, replace(OPTIONS, leave_inside=True))
    assert first.broken == set()
    assert inside(store) == first.summary["remain_inside"] > 10
    watcher = Unwatched()
    second = finished(store, watcher=watcher, began=first.ended)
    assert second.broken == set()
    assert sum(each.stage is Stage.CLEARING for each in second.log.records) == first.summary["remain_inside"]
    assert inside(store) == 0


def test_answers_that_are_lost_on_the_way_are_asked_for_until_they_come(store: Store) -> None:
    asked: set[bytes] = set()

    def every_third_is_lost(body: bytes, answer: ScanAnswer) -> Response:
        is_new = body not in asked
        asked.add(body)
        if is_new and len(asked) % 3 == 0:
            raise NoResponseError("lost")
        return unchanged(body, answer)

    found = finished(store, answering=every_third_is_lost)
    assert found.summary["repeats"] > 10
    assert (found.broken, found.unknown) == (set(), set())


def test_a_door_that_does_not_answer_in_time_is_asked_again(store: Store) -> None:
    delayed: set[bytes] = set()

    def wait_once(body: bytes, answer: ScanAnswer) -> Response:
        if body not in delayed:
            delayed.add(body)
            return retry_later(body, answer)
        return unchanged(body, answer)

    found = finished(store, replace(OPTIONS, members=30), wait_once)
    assert found.summary["repeats"] >= 30
    assert found.broken == set()


def lying(change: Callable[[ScanAnswer], ScanAnswer]) -> ResponseSender:
    return lambda body, answer: unchanged(body, change(answer))


def admits_everybody(answer: ScanAnswer) -> ScanAnswer:
    return replace(answer, outcome=Outcome.ENTERED, reason=None) if answer.reason is Reason.BANNED else answer


def tells_of_one_more(answer: ScanAnswer) -> ScanAnswer:
    return replace(answer, occupancy=answer.occupancy + 1)


def repeats_otherwise(answer: ScanAnswer) -> ScanAnswer:
    return replace(answer, outcome=Outcome.REFUSED, reason=Reason.TOO_LATE) if answer.replayed else answer


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (admits_everybody, {"answers_right", "nothing_lost"}),
        (tells_of_one_more, {"nothing_lost"}),
        (repeats_otherwise, {"retries_alike"}),
    ],
)
def test_a_door_that_answers_wrongly_is_found_out(
    store: Store, change: Callable[[ScanAnswer], ScanAnswer], broken: set[str]
) -> None:
    found = finished(store, answering=lying(change), plan=lambda all_: [replace(one, loses_entry=True) for one in all_])
    assert broken <= found.broken
    assert not found.summary["is_good"]
    assert any(line.startswith("VIOLATED") for line in lines_of(found.summary))


def test_a_store_that_forgot_somebody_is_found_out(store: Store) -> None:
    def forget() -> None:
        with store.writing() as connection:
            connection.execute(open_visits.delete())

    found = finished(store, replace(OPTIONS, leave_inside=True), watcher=once_it_runs(forget))
    assert {"reconciled", "occupancy_as_counted", "occupancy_follows"} <= found.broken


def test_the_first_signal_waits_for_what_is_under_way_and_nothing_else(store: Store, tmp_path: Path) -> None:
    interrupt = once_it_runs(lambda: os.kill(os.getpid(), signal.SIGINT))
    found = finished(store, replace(OPTIONS, speed=20), watcher=interrupt)
    summary = found.summary
    assert summary["is_interrupted"]
    assert summary["minutes_done"] < 2
    assert (found.broken, found.unknown, found.log.waiting) == (set(), set(), 0)
    assert summary["remain_inside"] == inside(store) > 10
    assert draw(tmp_path / "rush", summary, found.log, found.world)[0].stat().st_size > 0


def test_an_interrupted_filling_can_be_drawn_too(store: Store, tmp_path: Path) -> None:
    def seeing(stage: Stage, clock: SimulatedClock, log: RushLog) -> None:
        if stage is Stage.FILLING and log.records and not clock.is_stopped:
            os.kill(os.getpid(), signal.SIGTERM)

    found = finished(store, watcher=Unwatched(seeing))
    assert found.summary["is_interrupted"]
    assert (found.summary["scans"], found.summary["minutes_done"]) == (0, 0)
    assert found.broken == set()
    assert draw(tmp_path / "rush", found.summary, found.log, found.world)


def test_the_second_signal_does_not_wait(store: Store) -> None:
    def seeing(_stage: Stage, _clock: SimulatedClock, log: RushLog) -> None:
        if log.waiting:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(asyncio.CancelledError):
        finished(store, answering=retry_later, watcher=Unwatched(seeing), patience_s=100)


def test_a_stack_that_stops_ends_the_rush(store: Store) -> None:
    gone = False

    def go() -> None:
        nonlocal gone
        gone = True

    def answering(body: bytes, answer: ScanAnswer) -> Response:
        if gone:
            raise NoResponseError("nobody there")
        return unchanged(body, answer)

    found = finished(store, replace(OPTIONS, speed=20), answering, once_it_runs(go), patience_s=1.0)
    assert found.summary["unanswered"] > 0
    assert found.summary["minutes_done"] < OPTIONS.minutes
    assert "occupancy_as_counted" in found.unknown
    assert any("have no answer" in line for line in lines_of(found.summary))
