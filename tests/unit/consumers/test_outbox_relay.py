"""The relay on a store of its own, with a fake publisher and a fake lease. Its pauses move the clock."""

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
from integrations.kafka.dead_letters import DeadLettersUnavailableError
from integrations.kafka.event_publisher import DeliveryFailure, EventPublisher
from tests.stores import sqlite_store
from tests.unit.consumers.leases import FakeLease
from tests.waiting import wait_until
from tests.world import START, ManualClock

TOPIC = "gym-events"
TOO_LARGE = DeliveryFailure("too large", rejected=True)
NOT_NOW = DeliveryFailure("not now", rejected=False)


class FakeTime(Event):
    """The relay's clock and its `stopping` event. Each pause moves the clock; the last one stops the relay."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.pauses: list[float] = []
        self.pauses_left = 1
        self.at_pause: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        self.now += timeout
        self.at_pause()
        if len(self.pauses) >= self.pauses_left:
            self.set()
        return self.is_set()


class FakeWakeUp(Event):
    """Nobody wakes the relay: a pause that could be ended early takes its full time."""

    def __init__(self, time: FakeTime) -> None:
        super().__init__()
        self._time = time

    def wait(self, timeout: float | None = None) -> bool:
        return self._time.wait(timeout)


class FakePublisher(EventPublisher):
    """Accepts all events, except for the payloads and keys that a test names."""

    def __init__(self, journal: list[str]) -> None:
        self._journal = journal
        self.batches: list[list[str]] = []
        self.dead_letters: list[str] = []
        self.poison: set[str] = set()
        self.failing: dict[str, DeliveryFailure] = {}
        self.dead_letters_unavailable_for = 0
        self.before: Callable[[Callable[[], None]], None] = lambda _waiting: None

    def publish(
        self, events: Sequence[WaitingEvent], while_waiting: Callable[[], None]
    ) -> Mapping[Order, DeliveryFailure]:
        self.batches.append([event.payload for event in events])
        self.before(while_waiting)
        failed = {event.order: self.failing[event.key] for event in events if event.key in self.failing}
        if any(event.payload in self.poison for event in events):
            # A broker refuses the whole batch of a partition.
            poisoned = {event.order for event in events if event.payload in self.poison}
            failed |= dict.fromkeys(poisoned, TOO_LARGE)
        return failed

    def write_dead_letter(self, event: WaitingEvent, reason: str) -> None:
        if self.dead_letters_unavailable_for:
            self.dead_letters_unavailable_for -= 1
            raise DeadLettersUnavailableError("unavailable")
        self.dead_letters.append(f"{event.payload}: {reason}")

    def drop(self) -> None:
        self._journal.append("drop")


class RelayBench:
    def __init__(self, store: Store, batch_max: int) -> None:
        self.store = store
        self.journal: list[str] = []
        self.time = FakeTime()
        self.clock = ManualClock(START + timedelta(seconds=30))
        self.lease = FakeLease(store, journal=self.journal)
        self.publisher = FakePublisher(self.journal)
        self.relay = OutboxRelay(
            self.lease,
            self.publisher,
            self.clock,
            RelayLimits(batch_max=batch_max),
            self.time,
            self.time,
            FakeWakeUp(self.time),
        )

    def write(self, *events: str, **values: object) -> None:
        """Events such as `a1`, whose key is `a`."""
        rows = [{"topic": TOPIC, "key": event[0], "payload": event, "created_at": START} | values for event in events]
        with self.store.writing() as connection:
            connection.execute(insert(outbox), rows)

    def run(self, pauses: int = 1) -> None:
        self.time.pauses_left = pauses
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
def bench(store: Store) -> RelayBench:
    return RelayBench(store, batch_max=5)


def test_events_are_published_in_the_order_of_their_ids_and_removed(bench: RelayBench) -> None:
    bench.write("a1", "b1", "a2")
    bench.run()
    assert bench.publisher.batches == [["a1", "b1", "a2"]]
    assert bench.left == []
    assert bench.relay.published == 3


def test_a_full_batch_is_followed_by_the_next_without_a_pause(bench: RelayBench) -> None:
    bench.write(*(f"a{n}" for n in range(12)))
    bench.run(3)
    assert [len(batch) for batch in bench.publisher.batches] == [5, 5, 2]
    assert bench.time.pauses[:2] == [0, 0]
    assert bench.time.pauses[2] > 0


def test_an_event_that_is_committed_late_with_a_smaller_id_is_published(bench: RelayBench) -> None:
    bench.write("a2", id=20)
    bench.time.at_pause = lambda: bench.write("b1", id=10) if len(bench.time.pauses) == 1 else None
    bench.run(2)
    assert bench.publisher.batches == [["a2"], ["b1"]]
    assert bench.left == []


def test_nothing_of_a_gym_is_removed_when_one_of_its_events_failed(bench: RelayBench) -> None:
    bench.write("a1", "b1", "a2", "c1")
    bench.publisher.failing["a"] = NOT_NOW
    bench.run()
    assert bench.left == ["a1", "a2"]
    assert bench.relay.lag == 0, "a stopped relay reports no lag"


def test_retries_slow_down_and_speed_up_again_after_a_success(bench: RelayBench) -> None:
    bench.write("a1")
    bench.publisher.failing["a"] = NOT_NOW

    def change() -> None:
        if len(bench.time.pauses) == 7:
            bench.publisher.failing.clear()
        if len(bench.time.pauses) == 8:
            assert bench.left == []
            bench.write("a2")
            bench.publisher.failing["a"] = NOT_NOW

    bench.time.at_pause = change
    bench.run(10)
    assert bench.time.pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, pytest.approx(0.2), 0.05, 0.1]


def test_an_event_that_kafka_rejects_is_dead_lettered_alone_and_its_gym_goes_on(bench: RelayBench) -> None:
    bench.write("a1", "a2", "a3", "b1", "a4")
    bench.publisher.poison = {"a2"}
    bench.run(6)
    assert bench.publisher.dead_letters == ["a2: too large"]
    assert bench.publisher.batches == [["a1", "a2", "a3", "b1", "a4"], ["a1"], ["a2"], ["a3"], ["a4"]]
    assert bench.left == []
    assert (bench.relay.published, bench.relay.dead_letters) == (4, 1)


def test_an_event_that_cannot_be_dead_lettered_yet_is_overtaken_by_none_of_its_gym(bench: RelayBench) -> None:
    bench.write("a1", "a2")
    bench.publisher.poison = {"a1"}
    bench.publisher.dead_letters_unavailable_for = 3
    bench.run(8)
    assert bench.publisher.batches == [["a1", "a2"], *[["a1"]] * 4, ["a2"]]
    assert bench.publisher.dead_letters == ["a1: too large"]
    assert bench.time.pauses[1:4] == [0.05, 0.1, 0.2]
    assert bench.journal == ["try_acquire", "drop", "release"], "the lease is kept"


def test_after_the_rejected_event_whole_batches_are_published_again(bench: RelayBench) -> None:
    bench.write("a1", "a2")
    bench.publisher.poison = {"a1"}
    bench.run(3)
    bench.write("b1", "b2", "b3")
    bench.time.clear()
    bench.time.pauses.clear()
    bench.run(1)
    assert bench.publisher.batches[-1] == ["b1", "b2", "b3"]


def test_while_kafka_does_not_answer_the_relay_is_alive_and_reports_its_lag(bench: RelayBench) -> None:
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


def test_a_stopping_relay_waits_two_seconds_for_kafka_and_removes_nothing(bench: RelayBench) -> None:
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
    assert bench.journal == ["try_acquire", "drop", "release"]


def test_a_connection_that_the_server_closes_costs_a_retry_and_not_the_lease(bench: RelayBench) -> None:
    bench.write("a1")

    def lost(_waiting: Callable[[], None]) -> None:
        bench.publisher.before = lambda _waiting: None
        raise OperationalError("SELECT", {}, OSError("gone"), connection_invalidated=True)

    bench.publisher.before = lost
    bench.run(2)
    assert bench.journal == ["try_acquire", "drop", "release"]
    assert bench.publisher.batches == [["a1"], ["a1"]]
    assert bench.left == []


def test_after_the_loss_of_the_lease_nothing_is_removed_or_published(bench: RelayBench) -> None:
    bench.write("a1")
    left: list[list[str]] = []
    bench.time.at_pause = lambda: left.append(bench.left)

    def lost(_waiting: Callable[[], None]) -> None:
        bench.lease.is_held = len(bench.publisher.batches) > 1

    bench.publisher.before = lost
    bench.run(2)
    assert left == [["a1"], []], "events published before the loss are published again"
    assert bench.journal == ["try_acquire", "drop", "release", "try_acquire", "drop", "release"]
    assert bench.publisher.batches == [["a1"], ["a1"]]


def test_a_lease_that_ends_while_kafka_does_not_answer_ends_the_wait(bench: RelayBench) -> None:
    bench.write("a1")

    def no_answer(waiting: Callable[[], None]) -> None:
        waiting()
        bench.lease.is_held = False
        waiting()
        pytest.fail("still waiting")

    bench.publisher.before = no_answer
    bench.run()
    assert bench.left == ["a1"]
    assert bench.journal == ["try_acquire", "drop", "release", "drop", "release"]


def test_a_database_that_cannot_remove_causes_no_repeated_publishing(bench: RelayBench) -> None:
    """For example, because its disk is full. The relay keeps its lease."""
    bench.write("a1", "b1")
    fails = [3]

    @listens_for(bench.store.engine, "before_cursor_execute")
    def full(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("DELETE") and fails[0]:
            fails[0] -= 1
            raise OperationalError(statement, {}, OSError("disk is full"))

    bench.run(4)
    assert bench.time.pauses[:3] == [0.05, 0.1, 0.2]
    assert bench.publisher.batches == [["a1", "b1"]]
    assert bench.left == []
    assert bench.journal == ["try_acquire", "drop", "release"]
    assert bench.relay.published == 2


def test_a_repeated_removal_removes_no_new_event_with_the_same_id(bench: RelayBench) -> None:
    bench.write("a1", id=1)

    writing = bench.lease.store.writing

    @contextmanager
    def removed_after_all() -> Iterator[Connection]:
        with writing() as connection:
            yield connection
        if not bench.time.pauses:
            raise OperationalError("COMMIT", {}, OSError("disk I/O error"))

    bench.lease.store.writing = removed_after_all  # type: ignore[method-assign] # its answer is lost, not its effect
    bench.time.at_pause = lambda: bench.write("a2", id=1) if len(bench.time.pauses) == 1 else None
    bench.run(3)
    assert bench.publisher.batches == [["a1"], ["a2"]]
    assert bench.left == []


def test_unremoved_events_are_published_again_after_the_loss_of_the_lease(bench: RelayBench) -> None:
    """Another relay may have removed them, and SQLite may have given their ids to new events."""
    bench.write("a1")
    fails = [OperationalError("", {}, OSError()), LeaseLostError()]

    @listens_for(bench.store.engine, "before_cursor_execute")
    def unavailable(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("DELETE") and fails:
            raise fails.pop(0)

    bench.run(3)
    assert bench.publisher.batches == [["a1"], ["a1"]]
    assert bench.left == []


def test_attempts_at_an_unavailable_database_become_slower(bench: RelayBench) -> None:
    bench.write("a1")
    unavailable = OperationalError("ask", {}, OSError("unavailable"))
    bench.lease.answers = [*[unavailable] * 6, True]
    bench.run(7)
    assert bench.time.pauses[:6] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0]
    assert bench.left == []


def test_the_relay_starts_again_after_any_failure(bench: RelayBench) -> None:
    bench.write("a1")

    def fails(_waiting: Callable[[], None]) -> None:
        bench.publisher.before = lambda _waiting: None
        raise ZeroDivisionError

    bench.publisher.before = fails
    bench.run(2)
    assert bench.left == []


def test_a_relay_without_the_lease_tries_to_take_it_every_second_and_publishes_nothing(bench: RelayBench) -> None:
    bench.write("a1")
    bench.lease.answers = [False]
    active: list[bool] = []
    bench.time.at_pause = lambda: active.append(bench.relay.is_active)
    bench.run(3)
    assert bench.time.pauses == [1, 1, 1]
    assert active == [False, False, False]
    assert bench.publisher.batches == []
    assert bench.left == ["a1"]


def test_the_relay_takes_over_when_the_lease_is_free(bench: RelayBench) -> None:
    bench.write("a1")
    bench.lease.answers = [False]
    active: list[bool] = []

    def freed() -> None:
        active.append(bench.relay.is_active)
        bench.lease.answers = [len(active) == 2]

    bench.time.at_pause = freed
    bench.run(3)
    assert active == [False, False, True]
    assert bench.left == []


def test_events_that_were_read_before_the_loss_of_the_lease_are_not_published(bench: RelayBench) -> None:
    """The process may have been suspended after reading, and another relay may hold the lease."""
    bench.write("a1")
    frozen = [True]

    @listens_for(bench.store.engine, "after_cursor_execute")
    def freeze(*_of_the_statement: object) -> None:
        if bench.lease.attempts and frozen:
            bench.lease.is_held = not frozen.pop()

    left: list[list[str]] = []
    bench.time.at_pause = lambda: left.append(bench.left)
    bench.run(2)
    assert left == [["a1"], []], "the first round published nothing"
    assert bench.publisher.batches == [["a1"]]


def test_slow_queries_run_less_often(bench: RelayBench) -> None:
    """For example, while another transaction keeps the server from purging removed rows."""

    @listens_for(bench.store.engine, "after_cursor_execute")
    def slow(*_of_the_statement: object) -> None:
        bench.time.now += 0.03

    bench.run(2)
    assert bench.time.pauses == pytest.approx([0.6, 0.6])


def test_the_backlog_is_counted_once_a_second_and_up_to_ten_thousand(store: Store) -> None:
    bench = RelayBench(store, batch_max=500)
    rows = [{"topic": TOPIC, "key": "a", "payload": f"a{n}", "created_at": START} for n in range(12_000)]
    with store.writing() as connection:
        connection.execute(insert(outbox), rows)
    lags: list[int] = []

    def look() -> None:
        lags.append(bench.relay.lag)
        bench.time.now += 0.3

    bench.time.at_pause = look
    bench.run(24)
    assert lags == [lag for lag in (10_000, 9_500, 7_500, 5_500, 3_500, 1_500) for _ in range(4)]
    assert bench.left == []


@pytest.mark.parametrize("event", get_args(DoorEvent))
def test_every_event_carries_its_id_gym_type_and_version(event: type) -> None:
    """Consumers of `gym-events` detect repeated events by their id."""
    kinds = {field.name: field.type for field in fields(event)}
    assert kinds["event_id"] is UUID
    assert kinds["gym_id"] is UUID
    assert {"type", "version"} <= set(kinds)


def test_waking_ends_the_pause_of_an_idle_relay(bench: RelayBench) -> None:
    limits = RelayLimits(poll_interval_s=3600.0, longest_delay_s=3600.0)
    relay = OutboxRelay(bench.lease, bench.publisher, bench.clock, limits)
    relay.start()
    try:
        wait_until(lambda: relay.is_active)
        bench.write("a1")
        relay.wake()
        wait_until(lambda: relay.published == 1)
    finally:
        assert relay.stop(30)


def test_an_idle_relay_stops_at_once(bench: RelayBench) -> None:
    relay = OutboxRelay(bench.lease, bench.publisher, bench.clock, RelayLimits(poll_interval_s=3600.0))
    relay.start()
    wait_until(lambda: relay.is_active)
    assert relay.stop(30)
