"""The relay on a store of its own, with a publisher and a lease that do as they are told; its rests move the clock."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import get_args
from uuid import UUID

import pytest
from sqlalchemy import Connection, insert, select
from sqlalchemy.event import listens_for
from sqlalchemy.exc import OperationalError

from consumers.outbox_relay import OutboxRelay, RelayLimits
from domain.door.events import DoorEvent
from domain.leases import LeaseLostError
from domain.outbox import Order, WaitingEvent, outbox
from domain.unit_of_work import Store
from integrations.kafka.dead_letters import DeadLettersAwayError
from integrations.kafka.event_publisher import Failure
from tests.events import wait_until
from tests.stores import sqlite_store
from tests.unit.consumers.leases import FakeLease
from tests.world import START, HeldClock

TOPIC = "gym-events"
TOO_LARGE = Failure("too large", own_fault=True)
NOT_NOW = Failure("not now", own_fault=False)


class FakeTime(Event):
    """The relay's clock, and its rests: each moves the clock. After the last of them the relay is to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.rests: list[float] = []
        self.rests_left = 1
        self.at_rest: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.rests.append(timeout)
        self.now += timeout
        self.at_rest()
        if len(self.rests) >= self.rests_left:
            self.set()
        return self.is_set()


class FakePublisher:
    """Takes what it is given; refuses payloads and keys that it is told to."""

    def __init__(self, journal: list[str]) -> None:
        self._journal = journal
        self.batches: list[list[str]] = []
        self.buried: list[str] = []
        self.poison: set[str] = set()
        self.failing: dict[str, Failure] = {}
        self.dead_letters_away_for = 0
        self.before: Callable[[Callable[[], None]], None] = lambda _waiting: None

    def publish(self, events: Sequence[WaitingEvent], waiting: Callable[[], None]) -> Mapping[Order, Failure]:
        self.batches.append([event.payload for event in events])
        self.before(waiting)
        failed = {event.order: self.failing[event.key] for event in events if event.key in self.failing}
        if any(event.payload in self.poison for event in events):
            # A broker refuses the whole batch of a partition.
            poisoned = {event.order for event in events if event.payload in self.poison}
            failed |= dict.fromkeys(poisoned, TOO_LARGE)
        return failed

    def bury(self, event: WaitingEvent, reason: str) -> None:
        if self.dead_letters_away_for:
            self.dead_letters_away_for -= 1
            raise DeadLettersAwayError("away")
        self.buried.append(f"{event.payload}: {reason}")

    def drop(self) -> None:
        self._journal.append("drop")


class Bench:
    def __init__(self, store: Store, batch_max: int) -> None:
        self.store = store
        self.journal: list[str] = []
        self.time = FakeTime()
        self.clock = HeldClock(START + timedelta(seconds=30))
        self.lease = FakeLease(store, journal=self.journal)
        self.publisher = FakePublisher(self.journal)
        self.relay = OutboxRelay(
            self.lease, self.publisher, self.clock, RelayLimits(batch_max=batch_max), self.time, self.time
        )

    def write(self, *events: str, **values: object) -> None:
        """Events such as `a1`, whose key is `a`."""
        rows = [{"topic": TOPIC, "key": event[0], "payload": event, "created_at": START} | values for event in events]
        with self.store.writing() as connection:
            connection.execute(insert(outbox), rows)

    def run(self, rests: int = 1) -> None:
        self.time.rests_left = rests
        self.relay.run()

    @property
    def left(self) -> list[str]:
        with self.store.reading() as connection:
            return list(connection.execute(select(outbox.c.payload).order_by(outbox.c.id)).scalars())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = sqlite_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store, batch_max=5)


def test_events_go_in_the_order_of_their_numbers_and_are_removed(bench: Bench) -> None:
    bench.write("a1", "b1", "a2")
    bench.run()
    assert bench.publisher.batches == [["a1", "b1", "a2"]]
    assert bench.left == []
    assert bench.relay.published == 3


def test_a_full_batch_is_followed_by_the_next_without_a_rest(bench: Bench) -> None:
    bench.write(*(f"a{n}" for n in range(12)))
    bench.run(3)
    assert [len(batch) for batch in bench.publisher.batches] == [5, 5, 2]
    assert bench.time.rests[:2] == [0, 0]
    assert bench.time.rests[2] > 0


def test_an_event_that_comes_late_with_a_smaller_number_is_published(bench: Bench) -> None:
    bench.write("a2", id=20)
    bench.time.at_rest = lambda: bench.write("b1", id=10) if len(bench.time.rests) == 1 else None
    bench.run(2)
    assert bench.publisher.batches == [["a2"], ["b1"]]
    assert bench.left == []


def test_nothing_of_a_gym_is_removed_when_one_of_its_events_failed(bench: Bench) -> None:
    bench.write("a1", "b1", "a2", "c1")
    bench.publisher.failing["a"] = NOT_NOW
    bench.run()
    assert bench.left == ["a1", "a2"]
    assert bench.relay.lag == 0, "it has stopped: what waits is for another to tell"


def test_what_failed_is_tried_again_ever_more_slowly_and_then_as_fast_as_before(bench: Bench) -> None:
    bench.write("a1")
    bench.publisher.failing["a"] = NOT_NOW

    def change() -> None:
        if len(bench.time.rests) == 7:
            bench.publisher.failing.clear()
        if len(bench.time.rests) == 8:
            assert bench.left == []
            bench.write("a2")
            bench.publisher.failing["a"] = NOT_NOW

    bench.time.at_rest = change
    bench.run(10)
    assert bench.time.rests == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, pytest.approx(0.2), 0.05, 0.1]


def test_an_event_that_kafka_refuses_is_set_aside_alone_and_its_gym_goes_on(bench: Bench) -> None:
    bench.write("a1", "a2", "a3", "b1", "a4")
    bench.publisher.poison = {"a2"}
    bench.run(6)
    assert bench.publisher.buried == ["a2: too large"]
    assert bench.publisher.batches == [["a1", "a2", "a3", "b1", "a4"], ["a1"], ["a2"], ["a3"], ["a4"]]
    assert bench.left == []
    assert (bench.relay.published, bench.relay.dead_letters) == (4, 1)


def test_an_event_that_cannot_be_set_aside_yet_is_overtaken_by_none_of_its_gym(bench: Bench) -> None:
    bench.write("a1", "a2")
    bench.publisher.poison = {"a1"}
    bench.publisher.dead_letters_away_for = 3
    bench.run(8)
    assert bench.publisher.batches == [["a1", "a2"], *[["a1"]] * 4, ["a2"]]
    assert bench.publisher.buried == ["a1: too large"]
    assert bench.time.rests[1:4] == [0.05, 0.1, 0.2]
    assert bench.journal == ["ask", "drop", "release"], "the lease is kept meanwhile"


def test_after_the_refused_event_whole_batches_go_again(bench: Bench) -> None:
    bench.write("a1", "a2")
    bench.publisher.poison = {"a1"}
    bench.run(3)
    bench.write("b1", "b2", "b3")
    bench.time.clear()
    bench.time.rests.clear()
    bench.run(1)
    assert bench.publisher.batches[-1] == ["b1", "b2", "b3"]


def test_while_kafka_does_not_answer_the_relay_lives_and_tells_what_waits(bench: Bench) -> None:
    bench.write("a1", "a2")
    seen: list[tuple[int, float, float]] = []

    def no_answer(waiting: Callable[[], None]) -> None:
        for _ in range(60):
            bench.time.now += 0.2
            waiting()
            seen.append((bench.relay.lag, bench.relay.oldest_age_s, bench.relay.heartbeat_age_s))

    bench.publisher.before = no_answer
    bench.run()
    assert seen[0] == (0, 0.0, 0.0)
    assert set(seen[10:]) == {(2, 30.0, 0.0)}
    assert bench.left == []


def test_a_relay_that_is_to_stop_gives_kafka_two_seconds_and_removes_nothing(bench: Bench) -> None:
    bench.write("a1")
    began = bench.time.now

    def no_answer(waiting: Callable[[], None]) -> None:
        bench.time.set()
        while True:
            bench.time.now += 0.2
            waiting()

    bench.publisher.before = no_answer
    bench.run()
    assert 2 < bench.time.now - began < 2.5
    assert bench.left == ["a1"]
    assert bench.journal == ["ask", "drop", "release"]


def test_a_connection_that_the_server_closes_costs_a_retry_and_not_the_lease(bench: Bench) -> None:
    bench.write("a1")

    def lost(_waiting: Callable[[], None]) -> None:
        bench.publisher.before = lambda _waiting: None
        raise OperationalError("SELECT", {}, OSError("gone"), connection_invalidated=True)

    bench.publisher.before = lost
    bench.run(2)
    assert bench.journal == ["ask", "drop", "release"]
    assert bench.publisher.batches == [["a1"], ["a1"]]
    assert bench.left == []


def test_a_lost_lease_has_nothing_removed_and_nothing_sent_without_it(bench: Bench) -> None:
    bench.write("a1")
    left: list[list[str]] = []
    bench.time.at_rest = lambda: left.append(bench.left)

    def lost(_waiting: Callable[[], None]) -> None:
        bench.lease.is_held = len(bench.publisher.batches) > 1

    bench.publisher.before = lost
    bench.run(2)
    assert left == [["a1"], []], "what was published without the lease is published again"
    assert bench.journal == ["ask", "drop", "release", "ask", "drop", "release"]
    assert bench.publisher.batches == [["a1"], ["a1"]]


def test_a_lease_that_ends_while_kafka_does_not_answer_ends_the_wait(bench: Bench) -> None:
    bench.write("a1")

    def no_answer(waiting: Callable[[], None]) -> None:
        waiting()
        bench.lease.is_held = False
        waiting()
        pytest.fail("it waits on")

    bench.publisher.before = no_answer
    bench.run()
    assert bench.left == ["a1"]
    assert bench.journal == ["ask", "drop", "release", "drop", "release"]


def test_a_database_that_cannot_remove_for_now_has_nothing_told_twice(bench: Bench) -> None:
    """Its disk is full, for example; the lease is not lost by that."""
    bench.write("a1", "b1")
    fails = [3]

    @listens_for(bench.store.engine, "before_cursor_execute")
    def full(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("DELETE") and fails[0]:
            fails[0] -= 1
            raise OperationalError(statement, {}, OSError("disk is full"))

    bench.run(4)
    assert bench.time.rests[:3] == [0.05, 0.1, 0.2]
    assert bench.publisher.batches == [["a1", "b1"]]
    assert bench.left == []
    assert bench.journal == ["ask", "drop", "release"]
    assert bench.relay.published == 2


def test_a_removal_that_was_done_after_all_takes_no_other_event_of_the_same_number(bench: Bench) -> None:
    bench.write("a1", id=1)

    writing = bench.lease.store.writing

    @contextmanager
    def removed_after_all() -> Iterator[Connection]:
        with writing() as connection:
            yield connection
        if not bench.time.rests:
            raise OperationalError("COMMIT", {}, OSError("disk I/O error"))

    bench.lease.store.writing = removed_after_all  # type: ignore[method-assign] # its answer is lost, not its effect
    bench.time.at_rest = lambda: bench.write("a2", id=1) if len(bench.time.rests) == 1 else None
    bench.run(3)
    assert bench.publisher.batches == [["a1"], ["a2"]]
    assert bench.left == []


def test_what_could_not_be_removed_is_told_again_once_the_lease_was_lost(bench: Bench) -> None:
    """Another relay may have removed it meanwhile, and SQLite may have given its number to another event."""
    bench.write("a1")
    fails = [OperationalError("", {}, OSError()), LeaseLostError()]

    @listens_for(bench.store.engine, "before_cursor_execute")
    def away(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("DELETE") and fails:
            raise fails.pop(0)

    bench.run(3)
    assert bench.publisher.batches == [["a1"], ["a1"]]
    assert bench.left == []


def test_a_database_that_is_away_is_asked_for_ever_more_slowly(bench: Bench) -> None:
    bench.write("a1")
    away = OperationalError("ask", {}, OSError("away"))
    bench.lease.answers = [*[away] * 6, True]
    bench.run(7)
    assert bench.time.rests[:6] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0]
    assert bench.left == []


def test_whatever_goes_wrong_the_relay_begins_anew(bench: Bench) -> None:
    bench.write("a1")

    def fails(_waiting: Callable[[], None]) -> None:
        bench.publisher.before = lambda _waiting: None
        raise ZeroDivisionError

    bench.publisher.before = fails
    bench.run(2)
    assert bench.left == []


def test_the_relay_without_the_lease_asks_every_second_and_publishes_nothing(bench: Bench) -> None:
    bench.write("a1")
    bench.lease.answers = [False]
    active: list[bool] = []
    bench.time.at_rest = lambda: active.append(bench.relay.is_active)
    bench.run(3)
    assert bench.time.rests == [1, 1, 1]
    assert active == [False, False, False]
    assert bench.publisher.batches == []
    assert bench.left == ["a1"]


def test_the_relay_takes_over_when_the_lease_is_free(bench: Bench) -> None:
    bench.write("a1")
    bench.lease.answers = [False]
    active: list[bool] = []

    def freed() -> None:
        active.append(bench.relay.is_active)
        bench.lease.answers = [len(active) == 2]

    bench.time.at_rest = freed
    bench.run(3)
    assert active == [False, False, True]
    assert bench.left == []


def test_what_was_read_under_a_lease_that_is_over_is_read_again_before_it_is_published(bench: Bench) -> None:
    """The process may have been frozen in between, and another relay may have the lease."""
    bench.write("a1")
    frozen = [True]

    @listens_for(bench.store.engine, "after_cursor_execute")
    def freeze(*_of_the_statement: object) -> None:
        if bench.lease.asked and frozen:
            bench.lease.is_held = not frozen.pop()

    left: list[list[str]] = []
    bench.time.at_rest = lambda: left.append(bench.left)
    bench.run(2)
    assert left == [["a1"], []], "the first round published nothing"
    assert bench.publisher.batches == [["a1"]]


def test_a_look_that_takes_long_is_taken_less_often(bench: Bench) -> None:
    """Some other transaction keeps the server from clearing away what was removed."""

    @listens_for(bench.store.engine, "after_cursor_execute")
    def slow(*_of_the_statement: object) -> None:
        bench.time.now += 0.03

    bench.run(2)
    assert bench.time.rests == pytest.approx([0.6, 0.6])


def test_a_backlog_is_counted_once_a_second_and_no_further_than_ten_thousand(store: Store) -> None:
    bench = Bench(store, batch_max=500)
    rows = [{"topic": TOPIC, "key": "a", "payload": f"a{n}", "created_at": START} for n in range(12_000)]
    with store.writing() as connection:
        connection.execute(insert(outbox), rows)
    lags: list[int] = []

    def look() -> None:
        lags.append(bench.relay.lag)
        bench.time.now += 0.3

    bench.time.at_rest = look
    bench.run(24)
    assert lags == [lag for lag in (10_000, 9_500, 7_500, 5_500, 3_500, 1_500) for _ in range(4)]
    assert bench.left == []


@pytest.mark.parametrize("event", get_args(DoorEvent))
def test_every_event_carries_its_id_gym_type_and_version(event: type) -> None:
    """Those who read `gym-events` drop repeats by the id."""
    kinds = {field.name: field.type for field in fields(event)}
    assert kinds["event_id"] is UUID
    assert kinds["gym_id"] is UUID
    assert {"type", "version"} <= set(kinds)


def test_news_end_the_rest_of_a_relay_that_found_nothing(bench: Bench) -> None:
    news, looks = Event(), RelayLimits(pace_s=3600.0, longest_delay_s=3600.0)
    relay = OutboxRelay(bench.lease, bench.publisher, bench.clock, looks, news=news)
    relay.start()
    try:
        wait_until(lambda: relay.is_active)
        bench.write("a1")
        news.set()
        wait_until(lambda: relay.published == 1)
    finally:
        assert relay.stop(30)


def test_a_relay_that_rests_for_news_ends_when_told_to(bench: Bench) -> None:
    relay = OutboxRelay(bench.lease, bench.publisher, bench.clock, RelayLimits(pace_s=3600.0), news=Event())
    relay.start()
    wait_until(lambda: relay.is_active)
    assert relay.stop(30)
