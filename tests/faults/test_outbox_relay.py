"""Events are told at least once and in order within a gym, whatever becomes of the relay that tells them.

Whoever reads `gym-events` drops repeats by their id; the order that counts is that of first appearances. While
Kafka or the database is away: `test_outages.py`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import insert

from domain.outbox import outbox
from domain.unit_of_work import Store
from integrations.settings import Settings
from tests.events import first_appearances, published, stored
from tests.faults import relay_process
from tests.faults.outbox import in_order, rows, running, write
from tests.faults.relay_process import RelayPoint
from tests.forked import LoggedProcess
from tests.waiting import wait_until

pytestmark = [pytest.mark.check, pytest.mark.timeout(280)]

StartRelay = Callable[..., LoggedProcess]
LEASE_LASTS_S = 4


@pytest.fixture
def start_relay(settings: Settings, tmp_path: Path) -> Iterator[StartRelay]:
    """Starts relays in processes of their own, and ends them after the test."""
    started: list[LoggedProcess] = []

    def start(point: RelayPoint = RelayPoint.NOWHERE, after: int = 0) -> LoggedProcess:
        log_file = tmp_path / f"relay-{len(started)}.log"
        started.append(LoggedProcess(log_file, relay_process.run, settings, point, after, LEASE_LASTS_S))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def is_active(relay: LoggedProcess) -> bool:
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


def test_when_the_active_relay_is_killed_the_other_takes_over_once_its_lease_has_expired(
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
    wait_until(lambda: not stored(store))
    assert is_active(other)
    assert first_appearances(published(settings.kafka)) == in_order(200)


def test_a_relay_that_froze_with_the_lease_loses_it_and_removes_nothing_when_it_wakes(
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
    wait_until(lambda: "outbox_postponed" in sleeper.log_file.read_text())
    assert sleeper.is_running
    assert first_appearances(published(settings.kafka)) == in_order(200)


def test_a_transaction_that_commits_late_is_published_late_and_delays_no_other(
    settings: Settings, store: Store
) -> None:
    with running(settings) as relay, store.engine.connect() as late:
        late.execute(insert(outbox), [rows(1)[0] | {"key": "late", "payload": '{"event_id":"late"}'}])
        write(store, 100)
        wait_until(lambda: relay.published == 100)
        wait_until(lambda: not stored(store))  # removed once they are published
        late.commit()
        wait_until(lambda: relay.published == 101)
    assert first_appearances(published(settings.kafka)) == in_order(100) | {"late": ["late"]}
