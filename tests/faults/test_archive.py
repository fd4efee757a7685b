"""The archive's consumer on Kafka: it dies at the worst moments, has a rival, reads what comes again, late or anew."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from domain.attendance.facts import FactTable
from domain.door.events import DoorEvent, ScanDecided
from domain.door.model import Outcome
from domain.ids import new_id
from integrations.archive.delta_table import DeltaStore
from integrations.archive.reading import facts
from integrations.kafka.dead_letter_reader import DeadLetterReader, StoredLetter
from integrations.settings import ArchiveSettings, Settings
from tests.faults import archive_process
from tests.faults.archive_process import ArchivePoint
from tests.forked import LoggedProcess
from tests.waiting import wait_until

pytestmark = [pytest.mark.check, pytest.mark.timeout(280)]

VISITS, SCANS = FactTable.VISITS, FactTable.SCANS
NOON = datetime.now(UTC).replace(hour=12) - timedelta(days=1)
PARTITIONS = 4
GYMS = [uuid4() for _ in range(6)]
StartArchive = Callable[..., LoggedProcess]


@pytest.fixture
def archived(settings: Settings, tmp_path: Path) -> Settings:
    """With an archive of its own, and a topic of its own: offsets begin at zero."""
    topic = f"gym-events-{uuid4().hex[:12]}"
    kafka = settings.kafka.model_copy(update={"events_topic": topic})
    make_topic(kafka.bootstrap_servers, topic)
    return settings.model_copy(
        update={"kafka": kafka, "archive": ArchiveSettings(url=str(tmp_path / "archive"), linger_s=0.05, batch_max=40)}
    )


@pytest.fixture
def start(archived: Settings, tmp_path: Path) -> Iterator[StartArchive]:
    """Starts consumers, and ends them after the test."""
    started: list[LoggedProcess] = []

    def start(point: ArchivePoint = ArchivePoint.NOWHERE, after: int = 0) -> LoggedProcess:
        log_file = tmp_path / f"archive-{len(started)}.log"
        started.append(LoggedProcess(log_file, archive_process.run, archived, point, after))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def make_topic(servers: str, topic: str, partitions: int = PARTITIONS) -> None:
    client = AdminClient({"bootstrap.servers": servers})  # which must outlive its futures
    for made in client.create_topics([NewTopic(topic, partitions, 1)]).values():
        made.result()


def stays(number: int, at: datetime = NOON) -> list[DoorEvent]:
    """Entries and exits at several gyms."""
    events: list[DoorEvent] = []
    for n in range(number):
        gym, visit, entered_at = GYMS[n % len(GYMS)], new_id(), at + timedelta(seconds=n)
        for outcome, when in ((Outcome.ENTERED, entered_at), (Outcome.LEFT, entered_at + timedelta(minutes=30))):
            events.append(
                ScanDecided(
                    *(new_id(), gym, uuid4(), None, outcome, None, visit, 1, when, when, when),
                    repeat=False,
                    entered_at=entered_at,
                )
            )
    return events


def publish(settings: Settings, events: Sequence[DoorEvent]) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "linger.ms": 5})
    for event in events:
        producer.produce(settings.kafka.events_topic, msgspec.json.encode(event), key=str(event.gym_id))
    assert producer.flush(30) == 0


def versions(settings: Settings, table: FactTable) -> list[dict[str, object]]:
    return DeltaStore(settings.archive).scan(table).collect().to_dicts()


def standing(settings: Settings, table: FactTable, days: int = 5) -> list[dict[str, object]]:
    last = datetime.now(UTC).date()
    found: list[dict[str, object]] = (
        facts(DeltaStore(settings.archive), table, last - timedelta(days=days), last).collect().to_dicts()
    )
    return found


def assert_each_once(settings: Settings, events: Sequence[DoorEvent]) -> None:
    """Every event is in the archive, and none twice; every visit has its end."""
    ids = [str(event.event_id) for event in events]
    for table in (SCANS, VISITS):
        stored = versions(settings, table)
        assert sorted(str(row["event_id"]) for row in stored) == sorted(ids), table
        positions = [(row["source"], row["partition"], row["offset"]) for row in stored]
        assert len(set(positions)) == len(positions)
    rows = standing(settings, VISITS)
    assert len(rows) == len(events) / 2
    assert all(row["left_at"] is not None for row in rows)


def letters(settings: Settings) -> list[StoredLetter]:
    with DeadLetterReader(settings.kafka) as reader:
        return [entry for entry in reader.entries() if isinstance(entry, StoredLetter)]


def committed(settings: Settings) -> int:
    """How many messages the group has read, as Kafka knows it."""
    reader = Consumer({"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": settings.kafka.archive_group})
    partitions = [TopicPartition(settings.kafka.events_topic, number) for number in range(PARTITIONS)]
    try:
        return sum(max(0, partition.offset) for partition in reader.committed(partitions, timeout=10))
    finally:
        reader.close()


def wait_for_scans(settings: Settings, number: int) -> None:
    wait_until(lambda: len(versions(settings, SCANS)) >= number, 120)


@pytest.mark.parametrize(
    "point", [ArchivePoint.BETWEEN_FILE_AND_COMMIT, ArchivePoint.BETWEEN_TABLES, ArchivePoint.BEFORE_OFFSETS]
)
def test_each_event_is_archived_once_though_the_consumer_dies(
    point: ArchivePoint, archived: Settings, start: StartArchive
) -> None:
    events = stays(60)
    publish(archived, events)
    victim = start(point, after=30)
    wait_until(lambda: victim.exit_code is not None, 120)
    assert victim.exit_code == -9
    start()
    wait_for_scans(archived, len(events))
    assert_each_once(archived, events)


def test_of_two_owners_of_a_partition_one_commits(archived: Settings, start: StartArchive) -> None:
    events = stays(60)
    publish(archived, events)
    sleeper = start(ArchivePoint.FROZEN_BEFORE_COMMIT, after=30)
    wait_until(lambda: sleeper.process.status() == psutil.STATUS_STOPPED, 120)
    start()  # is given the partitions when the group misses the sleeper
    wait_for_scans(archived, len(events))
    sleeper.process.resume()
    more = stays(10, NOON + timedelta(hours=1))
    publish(archived, more)
    wait_for_scans(archived, len(events) + len(more))
    assert sleeper.is_running
    assert_each_once(archived, [*events, *more])


def test_a_topic_that_is_made_anew_and_a_day_that_is_replayed_count_once(
    archived: Settings, start: StartArchive
) -> None:
    """The outbox relay publishes again what it could not remove: here, a whole day and into another topic."""
    events = stays(20)
    publish(archived, events)
    first = start()
    wait_for_scans(archived, len(events))
    publish(archived, events[10:])
    wait_for_scans(archived, len(events) + 30)
    assert len(standing(archived, SCANS)) == len(events)
    first.kill()
    client = AdminClient({"bootstrap.servers": archived.kafka.bootstrap_servers})
    for done in client.delete_topics([archived.kafka.events_topic]).values():
        done.result()
    wait_until(lambda: archived.kafka.events_topic not in client.list_topics(timeout=10).topics)
    make_topic(archived.kafka.bootstrap_servers, archived.kafka.events_topic)
    late = stays(5, NOON - timedelta(days=3))  # three days late
    publish(archived, [*events[:6], *late])
    start()
    wait_for_scans(archived, len(events) + 30 + 6 + len(late))
    assert {row["source"] for row in versions(archived, SCANS)} == {1, 2}
    assert len(standing(archived, SCANS)) == len(events) + len(late)
    visits = standing(archived, VISITS)
    assert len(visits) == 20 + 5
    assert all(row["left_at"] is not None for row in visits)
    assert {row["day"] for row in visits} == {NOON.date(), NOON.date() - timedelta(days=3)}


def test_an_archive_that_was_deleted_is_filled_again_with_what_kafka_has(
    archived: Settings, start: StartArchive
) -> None:
    events = stays(20)
    publish(archived, events)
    first = start()
    wait_for_scans(archived, len(events))
    wait_until(lambda: committed(archived) == len(events))
    first.kill()
    archived.archive.url = f"{archived.archive.url}-of-another-place"
    start()
    wait_for_scans(archived, len(events))
    assert_each_once(archived, events)


def test_a_message_that_is_no_event_is_a_dead_letter(archived: Settings, start: StartArchive) -> None:
    events = stays(2)
    producer = Producer({"bootstrap.servers": archived.kafka.bootstrap_servers})
    producer.produce(archived.kafka.events_topic, b"garbage", key=str(UUID(int=1)))
    assert producer.flush(30) == 0
    publish(archived, events)
    start()
    wait_for_scans(archived, len(events))
    assert_each_once(archived, events)
    wait_until(lambda: [entry.raw for entry in letters(archived)] != [])
    (found,) = letters(archived)
    assert found.letter is not None
    assert (found.letter.value, found.letter.topic) == (b"garbage", archived.kafka.events_topic)
