"""Events are told at least once and in order within a gym, whatever becomes of the relay, of Kafka and of the database.

Whoever reads `gym-events` drops repeats by their id; the order that counts is that of first appearances.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import insert

from cluster.local.kafka import KafkaServer
from cluster.local.mariadb import MariaDbServer
from consumers.outbox_relay import OutboxRelay, outbox_relay
from domain.ids import new_id
from domain.tables import outbox
from domain.unit_of_work import Store
from integrations.settings import Settings
from tests.events import first_appearances, published, stored, wait_until
from tests.faults import relay_process
from tests.faults.forked import ForkedProcess
from tests.faults.relay_process import RelayPoint
from tests.world import START

pytestmark = pytest.mark.timeout(280)

StartRelay = Callable[..., ForkedProcess]
GYMS = [str(new_id()) for _ in range(5)]


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = Store(settings.database.url.get_secret_value(), pool_size=2)
    yield store
    store.close()


@pytest.fixture
def start_relay(settings: Settings, tmp_path: Path) -> Iterator[StartRelay]:
    """Starts relays in processes of their own, and ends them after the test."""
    started: list[ForkedProcess] = []

    def start(point: RelayPoint = RelayPoint.NOWHERE, after: int = 0) -> ForkedProcess:
        log_file = tmp_path / f"relay-{len(started)}.log"
        started.append(ForkedProcess(log_file, relay_process.run, settings, point, after))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@contextmanager
def running(settings: Settings) -> Iterator[OutboxRelay]:
    relay = outbox_relay(settings)
    relay.start()
    try:
        yield relay
    finally:
        assert relay.stop(30)


def rows(count: int, began: int = 0) -> list[dict[str, object]]:
    """Events of all gyms in turn."""
    return [
        {
            "topic": "gym-events",
            "key": GYMS[n % len(GYMS)],
            "payload": f'{{"event_id":"{n}","filler":"{"x" * 300}"}}',
            "created_at": START,
        }
        for n in range(began, began + count)
    ]


def write(store: Store, count: int, began: int = 0) -> None:
    with store.writing() as connection:
        connection.execute(insert(outbox), rows(count, began))


def in_order(count: int) -> dict[str, list[str]]:
    """What is to be seen once so many events were written."""
    return {gym: [str(m) for m in range(n, count, len(GYMS))] for n, gym in enumerate(GYMS) if n < count}


def is_active(relay: ForkedProcess) -> bool:
    return "outbox_relay_active" in relay.log_file.read_text()


def test_a_relay_killed_between_publishing_and_removing_leaves_repeats_and_no_gap(
    settings: Settings, store: Store, start_relay: StartRelay
) -> None:
    write(store, 200)
    waiting = stored(store)
    victim = start_relay(RelayPoint.BEFORE_REMOVAL, after=100)
    wait_until(lambda: victim.exit_code is not None)
    assert victim.exit_code == -9
    assert sum(len(ids) for ids in stored(store).values()) == 120, "the last batch is told and not removed"
    start_relay()
    wait_until(lambda: not stored(store))
    messages = published(settings.kafka)
    assert len(messages) == 220
    assert first_appearances(messages) == waiting == in_order(200)


def test_when_the_active_relay_is_killed_the_other_takes_over_at_once(
    settings: Settings, store: Store, start_relay: StartRelay
) -> None:
    relays = [start_relay(), start_relay()]
    write(store, 100)
    wait_until(lambda: not stored(store))
    active, other = sorted(relays, key=is_active, reverse=True)
    assert is_active(active)
    assert not is_active(other)
    active.kill()
    write(store, 100, began=100)
    wait_until(lambda: not stored(store), patience_s=10)
    assert is_active(other)
    assert first_appearances(published(settings.kafka)) == in_order(200)


def test_a_relay_that_froze_with_the_lock_loses_it_and_removes_nothing_when_it_wakes(
    settings: Settings, store: Store, start_relay: StartRelay
) -> None:
    write(store, 100)
    sleeper = start_relay(RelayPoint.FROZEN_BEFORE_REMOVAL, after=40)
    wait_until(lambda: sleeper.process.status() == psutil.STATUS_STOPPED)
    other = start_relay()
    wait_until(lambda: not stored(store))
    assert is_active(other)
    sleeper.process.resume()
    for n in range(100, 200):
        write(store, 1, began=n)
    wait_until(lambda: not stored(store))
    wait_until(lambda: "outbox_waits" in sleeper.log_file.read_text())
    assert sleeper.is_running
    assert first_appearances(published(settings.kafka)) == in_order(200)


@pytest.mark.parametrize("gently", [True, False], ids=["stopped", "killed"])
def test_events_wait_for_kafka_and_go_on_by_themselves(
    gently: bool,  # noqa: FBT001 - pytest's way
    settings: Settings,
    store: Store,
    kafka: KafkaServer,
) -> None:
    with running(settings) as relay:
        write(store, 50)
        wait_until(lambda: relay.published == 50)
        (kafka.stop if gently else kafka.kill)()
        try:
            for n in range(50, 750, 7):
                write(store, 7, began=n)
            wait_until(lambda: relay.lag == 700)
            assert relay.healthy
            assert relay.oldest_age_s > 0
        finally:
            kafka.start()
        wait_until(lambda: not stored(store))
        wait_until(lambda: relay.lag == 0)
        assert relay.healthy
    assert first_appearances(published(settings.kafka)) == in_order(750)


@pytest.mark.parametrize("gently", [True, False], ids=["stopped", "killed"])
def test_events_outlive_the_database(
    gently: bool,  # noqa: FBT001 - pytest's way
    settings: Settings,
    store: Store,
    mariadb: MariaDbServer,
) -> None:
    with running(settings) as relay:
        write(store, 2000)
        wait_until(lambda: relay.published > 0)
        (mariadb.stop if gently else mariadb.kill)()
        try:
            wait_until(lambda: not relay.is_active)
            time.sleep(1.5)  # several attempts
            assert relay.healthy
        finally:
            mariadb.start()
        store.close()  # its connections were to the server that is gone
        write(store, 100, began=2000)
        wait_until(lambda: not stored(store))
        assert relay.is_active
    assert first_appearances(published(settings.kafka)) == in_order(2100)


def test_a_transaction_that_commits_late_is_told_late_and_holds_nobody_up(settings: Settings, store: Store) -> None:
    with running(settings) as relay, store.engine.connect() as late:
        late.execute(insert(outbox), [rows(1)[0] | {"key": "late", "payload": '{"event_id":"late"}'}])
        write(store, 100)
        wait_until(lambda: relay.published == 100, patience_s=10)
        wait_until(lambda: not stored(store), patience_s=10)  # removed once they are published
        late.commit()
        wait_until(lambda: relay.published == 101)
    assert first_appearances(published(settings.kafka)) == in_order(100) | {"late": ["late"]}
