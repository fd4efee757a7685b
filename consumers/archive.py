"""The archive's consumer: reads `gym-events` and appends the facts that they state to the attendance archive.

Each fact is stored once. A commit of a table carries the last offset of each partition, and messages up to it are
dropped when they come again. See docs/attendance-archive.md.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition
from sqlalchemy import Connection

from consumers.database import open_store
from consumers.loop import ConsumerLoop, LoopLimits
from domain.attendance.archive_repository import ArchiveRepository
from domain.attendance.facts import ArchivedFact, FactTable, facts_of
from domain.attendance.member_keys import keys_of
from domain.clock import Clock, system_clock
from domain.errors import UnavailableError
from domain.unit_of_work import Store
from integrations.archive.delta_table import ArchiveConflictError, ArchiveUnavailableError, DeltaStore
from integrations.archive.rows import Position, frame_of
from integrations.kafka.clients import open_group_consumer
from integrations.kafka.dead_letters import DeadLetterWriter
from integrations.kafka.door_events import decode_door_event
from integrations.kafka.incarnation import TopicIncarnation
from integrations.replica import OpenResources
from integrations.settings import Settings

_log = structlog.get_logger(__name__)

_COMMIT_ATTEMPTS = 8
_IDLE_SESSION_TIMEOUT_S = 120
_INCARNATION_CHECK_S = 10.0
_COMMITTED_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class ArchiveMessage:
    """An event with its position.

    Args:
        facts: None: an older version wrote the event, without what the facts need.
    """

    partition: int
    offset: int
    event_id: str
    facts: Sequence[ArchivedFact] | None


ArchiveLoop = ConsumerLoop[ArchiveMessage, bool]


@dataclass(slots=True)
class ArchiveStats:
    """What a consumer has done since its start. Written by its thread only.

    Args:
        rows: by table.
        commits: to a table.
        conflicts: commits that were made again because another one came first.
        incomplete: events of an older version, whose facts the verification adds.
        repeated: messages that a table has already.
    """

    rows: dict[FactTable, int] = field(default_factory=lambda: dict.fromkeys(FactTable, 0))
    commits: int = 0
    conflicts: int = 0
    incomplete: int = 0
    repeated: int = 0


def decode_message(source: Message) -> ArchiveMessage:
    """Decode a message of `gym-events`.

    Raises:
        msgspec.DecodeError: not a valid event.
    """
    event = decode_door_event(source.value() or b"")
    partition, offset = source.partition(), source.offset()
    assert partition is not None and offset is not None  # noqa: PT018, S101 - only unsent messages have none
    return ArchiveMessage(partition, offset, str(event.event_id), facts_of(event))


class ArchiveHandler:
    """Appends the facts of a batch of events: one commit for each table that gets rows.

    Args:
        store: the database.
        archive: the tables of the archive.
        topic: the name of the topic.
        incarnation: returns the present incarnation of the topic.
        clock: the current time.
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        store: Store,
        archive: DeltaStore,
        topic: str,
        incarnation: Callable[[], str],
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._archive = archive
        self._topic = topic
        self._read_incarnation = incarnation
        self._clock = clock
        self._monotonic = monotonic
        self._incarnation = ""
        self._source = 0
        self._checked_at = float("-inf")
        self._next_offsets: dict[int, int] = {}
        self.stats = ArchiveStats()

    def handle(self, messages: Sequence[ArchiveMessage]) -> Sequence[bool]:
        """Append the facts of messages. What a table has already is not appended again.

        Raises:
            UnavailableError: the storage, Kafka or the database does not respond.
        """
        cut = _first_step_back(messages)
        if cut:
            # The topic was made anew between these messages.
            return [*self.handle(messages[:cut]), *self.handle(messages[cut:])]
        self._check_incarnation(messages)
        members = {fact.member_id for message in messages for fact in message.facts or () if fact.member_id is not None}
        keys = keys_of(self._store, members)
        by_table: dict[FactTable, list[ArchiveMessage]] = defaultdict(list)
        for message in messages:
            for table in {fact.table for fact in message.facts or ()}:
                by_table[table].append(message)
        for table in FactTable:
            if by_table[table]:
                self._append(table, by_table[table], keys)
        self.stats.incomplete += sum(message.facts is None for message in messages)
        for message in messages:
            self._next_offsets[message.partition] = message.offset + 1
        return [True] * len(messages)

    def on_dead_letter(self, message: ArchiveMessage) -> bool:  # noqa: ARG002 - the protocol's
        """Nobody waits for a result. The verification adds the facts."""
        return False

    def position(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Where to begin: at the group's offsets, but never behind what the archive has.

        So an archive that was deleted, or restored from an older copy, gets everything that Kafka still has.
        """
        if not partitions:
            return partitions
        try:
            self._check_incarnation([])
            committed = consumer.committed(partitions, timeout=_COMMITTED_TIMEOUT_S)
            return [self._begin(partition) for partition in committed]
        except (UnavailableError, KafkaException) as error:
            _log.warning("archive_position_unknown", reason=str(error))
            return partitions

    def _begin(self, committed: TopicPartition) -> TopicPartition:
        if committed.offset < 0:
            return TopicPartition(committed.topic, committed.partition)
        app_id = self._app_id(committed.partition)
        versions = [self._version(table, app_id) for table in FactTable]
        known = [version for version in versions if version is not None]
        offset = min(committed.offset, max(known) + 1) if known else OFFSET_BEGINNING
        return TopicPartition(committed.topic, committed.partition, offset)

    def _version(self, table: FactTable, app_id: str) -> int | None:
        self._archive.refresh(table)
        return self._archive.transaction_version(table, app_id)

    def _append(self, table: FactTable, messages: Sequence[ArchiveMessage], keys: Mapping[UUID, int]) -> None:
        """Append to one table, reading it again when another commit came first.

        Its versions are read each time, because a replay after a finished commit is no conflict for Delta Lake.
        """
        for _ in range(_COMMIT_ATTEMPTS):
            self._archive.refresh(table)
            app_ids = {partition: self._app_id(partition) for partition in {message.partition for message in messages}}
            stored = {
                partition: self._archive.transaction_version(table, app_id) for partition, app_id in app_ids.items()
            }
            new = [message for message in messages if message.offset > _or_before_all(stored[message.partition])]
            if not new:
                self.stats.repeated += len(messages)
                return
            versions = [
                (Position(self._source, message.partition, message.offset, message.event_id), fact)
                for message in new
                for fact in message.facts or ()
                if fact.table is table
            ]
            last = {app_ids[message.partition]: message.offset for message in new}
            try:
                self._archive.append(table, frame_of(table, versions, keys), last)
            except ArchiveConflictError as error:
                self.stats.conflicts += 1
                _log.info("archive_conflict", table=table.value, reason=str(error))
                continue
            self.stats.commits += 1
            self.stats.rows[table] += len(versions)
            self.stats.repeated += len(messages) - len(new)
            return
        raise ArchiveUnavailableError(f"{table.value}: other commits came first, {_COMMIT_ATTEMPTS} times")

    def _app_id(self, partition: int) -> str:
        return f"{self._topic}-{self._incarnation}-{partition}"

    def _check_incarnation(self, messages: Sequence[ArchiveMessage]) -> None:
        """Read the topic's incarnation from time to time, and at once when offsets go back."""
        went_back = any(message.offset < self._next_offsets.get(message.partition, 0) for message in messages)
        if not went_back and self._monotonic() - self._checked_at < _INCARNATION_CHECK_S:
            return
        try:
            incarnation = self._read_incarnation()
        except KafkaException as error:
            raise ArchiveUnavailableError(f"the topic cannot be described: {error}") from error
        if incarnation != self._incarnation:
            self._source = self._store.written(partial(self._source_of, incarnation=incarnation))
            self._incarnation = incarnation
            self._next_offsets.clear()
            _log.info("archive_source", topic=self._topic, source=self._source)
        self._checked_at = self._monotonic()

    def _source_of(self, connection: Connection, incarnation: str) -> int:
        return ArchiveRepository(connection).source_number(self._topic, incarnation, self._clock())


class ArchiveConsumerDependencies:
    """What the archive's consumer opens. Close it after its loop has ended.

    Args:
        settings: the database, Kafka and the archive.
        clock: the current time.
    """

    def __init__(self, settings: Settings, clock: Clock = system_clock) -> None:
        self._limits = LoopLimits(batch_max=settings.archive.batch_max, linger_s=settings.archive.linger_s)
        self.topic = settings.kafka.events_topic
        self.store = open_store(settings.database, _IDLE_SESSION_TIMEOUT_S)
        incarnation = TopicIncarnation(settings.kafka, self.topic)
        self.handler = ArchiveHandler(self.store, DeltaStore(settings.archive), self.topic, incarnation.read, clock)
        self.dead_letters = DeadLetterWriter(settings.kafka)
        self.consumer = open_group_consumer(settings.kafka, settings.kafka.archive_group)

    def build_loop(self) -> ArchiveLoop:
        """The loop, which closes the consumer itself. It sends no replies: nobody waits for an event."""
        return ConsumerLoop(
            self.consumer,
            self.topic,
            decode_message,
            self.handler,
            self.dead_letters,
            limits=self._limits,
            position=self.handler.position,
        )

    def close(self) -> None:
        """Close the connections."""
        resources = OpenResources()
        resources.add("store", self.store.close)
        resources.add("dead_letters", self.dead_letters.close)
        resources.close()


def _or_before_all(version: int | None) -> int:
    return -1 if version is None else version


def _first_step_back(messages: Sequence[ArchiveMessage]) -> int | None:
    """The index of the first message whose offset is not behind that of its predecessor in its partition."""
    last: dict[int, int] = {}
    for index, message in enumerate(messages):
        if message.offset <= last.get(message.partition, -1):
            return index
        last[message.partition] = message.offset
    return None
