"""The relay with a real database and a real Kafka."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

import pytest
import structlog
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError

from consumers.door_deployment import DoorConsumer
from consumers.health import ConsumerUnhealthyError
from consumers.outbox_relay import OutboxRelay, open_outbox_relay
from domain.door.model import AnnulRequest, Direction, ScanRequest
from domain.door.service import decide_batch
from domain.door.tables import scans
from domain.ids import new_id
from domain.leases import leases
from domain.outbox import outbox
from domain.unit_of_work import Store, should_retry
from integrations.settings import Settings
from tests.events import Published, first_appearances, published, stored, with_small_events
from tests.integration.kafka.echo_consumer import dead_letters
from tests.waiting import wait_until
from tests.world import START, World

StartRelay = Callable[[], OutboxRelay]


@pytest.fixture
def start_relay(settings: Settings) -> Iterator[StartRelay]:
    started: list[OutboxRelay] = []

    def start() -> OutboxRelay:
        relay = open_outbox_relay(settings)
        relay.start()
        started.append(relay)
        return relay

    yield start
    for relay in started:
        assert relay.stop(30)


def is_empty(store: Store) -> bool:
    with store.reading() as connection:
        return connection.execute(select(outbox.c.id).limit(1)).first() is None


def holders(store: Store) -> dict[str, str]:
    """The owner of each lease."""
    with store.reading() as connection:
        rows = connection.execute(select(leases.c.name, leases.c.owner).where(leases.c.owner.is_not(None)))
        return {row.name: row.owner for row in rows}


def write(store: Store, gym: UUID, *events: str) -> None:
    rows = [
        {"topic": "gym-events", "key": str(gym), "payload": f'{{"event_id":"{event}"}}', "created_at": START}
        for event in events
    ]
    with store.writing() as connection:
        connection.execute(insert(outbox), rows)


def decide(store: Store, world: World, request: ScanRequest | AnnulRequest) -> None:
    """Decide in a transaction; retry after a lost race, and while another transaction holds the gym or the member."""
    while True:
        try:
            with store.writing() as connection:
                [result] = decide_batch(connection, [request], world.clock, world.limits)
            if result is not None:
                return
        except DBAPIError as error:
            if not should_retry(error):
                raise


def test_scans_of_several_gyms_are_published_in_order_per_gym(
    settings: Settings, world: World, store: Store, start_relay: StartRelay
) -> None:
    """Members enter other gyms, which ends their visits elsewhere, while the relay runs."""
    gyms = [world.gym() for _ in range(3)]
    members = world.members(9)
    world.clock.forward(60)
    relay = start_relay()

    def walk(own: list[UUID]) -> None:
        for turn in range(6):
            for n, member in enumerate(own):
                gym = gyms[(turn + n) % 3]
                decide(store, world, world.scan(gym, world.code(member, ago=15 * (turn % 4)), Direction.ENTER))

    walkers = [threading.Thread(target=walk, args=(members[n::3],)) for n in range(3)]
    for walker in walkers:
        walker.start()
    for walker in walkers:
        walker.join()
    wait_until(lambda: is_empty(store))
    arrived = published(settings.kafka)
    assert relay.published == len(arrived) == len({message.id for message in arrived})
    assert all(message.key == message.event["gym_id"] for message in arrived)
    assert {message.event["version"] for message in arrived} == {1}
    assert {message.event["type"] for message in arrived} == {"scan_decided", "visit_inferred"}
    assert_published_as_decided(store, arrived)
    assert_members_entered_before_they_were_inferred_gone(arrived)


def assert_published_as_decided(store: Store, arrived: list[Published]) -> None:
    with store.reading() as connection:
        # Written under the lock of their gym, by one process: their ids rise as they were decided.
        rows = connection.execute(select(scans.c.gym_id, scans.c.member_id, scans.c.occupancy).order_by(scans.c.id))
        decided: dict[str, list[tuple[str, int]]] = {}
        for row in rows:
            decided.setdefault(str(row.gym_id), []).append((str(row.member_id), row.occupancy))
    events: dict[str, list[tuple[str, int]]] = {}
    for message in arrived:
        if message.event["type"] == "scan_decided":
            events.setdefault(message.key, []).append((message.event["member_id"], message.event["occupancy"]))
    assert events == decided


def assert_members_entered_before_they_were_inferred_gone(arrived: list[Published]) -> None:
    inside: set[tuple[str, str]] = set()
    inferred = 0
    for message in arrived:
        visit = (message.key, message.event["visit_id"])
        if message.event["type"] == "scan_decided" and message.event["outcome"] == "entered":
            inside.add(visit)
        elif message.event["type"] == "visit_inferred":
            inferred += 1
            assert visit in inside, "the end of a visit was published before its beginning"
            inside.discard(visit)
    assert inferred > 10


def test_every_type_of_event_is_published(
    settings: Settings, world: World, store: Store, start_relay: StartRelay
) -> None:
    first, second = world.gym(), world.gym()
    member = world.member()
    world.ask(world.scan(first, world.code(member), Direction.ENTER))
    world.clock.forward(60)
    there = world.scan(second, world.code(member), Direction.ENTER)
    world.ask(there)
    world.clock.forward(10)
    world.ask(world.annulment(second, there.scan_id))
    waiting = stored(store)
    start_relay()
    wait_until(lambda: is_empty(store))
    arrived = published(settings.kafka)
    assert first_appearances(arrived) == waiting
    kinds = {message.event["type"] for message in arrived}
    assert kinds == {"scan_decided", "visit_inferred", "visit_changed", "scan_annulled", "visit_reopened"}
    for message in arrived:
        assert {"event_id", "gym_id", "type", "version"} <= message.event.keys()


def test_of_two_relays_one_is_active_and_the_other_takes_over(
    settings: Settings, store: Store, start_relay: StartRelay
) -> None:
    gym = new_id()
    first = start_relay()
    wait_until(lambda: first.is_active)
    second = start_relay()
    write(store, gym, "1", "2")
    wait_until(lambda: first.published == 2)
    assert not second.is_active
    assert first.stop(30)
    write(store, gym, "3")
    wait_until(lambda: second.published == 1)
    assert second.is_active
    assert second.healthy
    assert [message.id for message in published(settings.kafka)] == ["1", "2", "3"]


def test_an_event_that_kafka_rejects_is_dead_lettered_and_its_gym_goes_on(
    settings: Settings, store: Store, start_relay: StartRelay
) -> None:
    gym, other = new_id(), new_id()
    size = 1_200_000  # more than a client sends; MariaDB has no room for so much
    if store.engine.dialect.name != "sqlite":
        size = 30_000
        settings.kafka = with_small_events(settings.kafka, 10_000)
    write(store, gym, "1", "x" * size, "2")
    write(store, other, "3")
    write(store, gym, "4")
    relay = start_relay()
    wait_until(lambda: is_empty(store))
    wait_until(lambda: relay.dead_letters == 1)
    assert first_appearances(published(settings.kafka)) == {str(gym): ["1", "2", "4"], str(other): ["3"]}
    (letter,) = dead_letters(settings, 1)
    assert letter.topic == settings.kafka.events_topic
    assert "too large" in letter.reason


def test_waiting_events_are_reported_until_they_are_published(
    settings: Settings, store: Store, world: World, start_relay: StartRelay
) -> None:
    unavailable = settings.model_copy(
        update={"kafka": settings.kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})}
    )
    with store.writing() as connection:
        row = {"topic": "gym-events", "key": "gym", "payload": '{"event_id":"1"}'}
        connection.execute(insert(outbox), [row | {"created_at": world.clock.now - timedelta(hours=1)}] * 700)
    relay = open_outbox_relay(unavailable)
    relay.start()
    wait_until(lambda: relay.lag == 700)
    assert relay.oldest_age_s > 3600
    assert relay.healthy
    assert relay.stop(30)
    assert (relay.lag, relay.oldest_age_s) == (0, 0)
    assert not is_empty(store)
    other = start_relay()
    wait_until(lambda: other.published == 700)
    wait_until(lambda: (other.lag, other.oldest_age_s) == (0, 0))


def test_every_door_consumer_has_a_relay_and_releases_its_leases_when_it_stops(
    settings: Settings, store: Store, start_relay: StartRelay
) -> None:
    gym = new_id()
    replica = DoorConsumer(settings)
    write(store, gym, "1")
    wait_until(lambda: is_empty(store))
    replica.check_health()
    wait_until(lambda: len(holders(store)) == 2)
    replica.__del__()
    assert holders(store) == {}
    with pytest.raises(ConsumerUnhealthyError):
        replica.check_health()
    other = start_relay()
    write(store, gym, "2")
    wait_until(lambda: other.published == 1)
    structlog.reset_defaults()
    assert first_appearances(published(settings.kafka)) == {str(gym): ["1", "2"]}
