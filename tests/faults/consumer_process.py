"""The door's consumer as a process of its own that kills or freezes itself where it is told to."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum

from confluent_kafka import Consumer, KafkaException, TopicPartition
from sqlalchemy import Connection

from consumers.database import set_idle_session_timeout
from consumers.door import IDLE_SESSION_TIMEOUT_S, DoorConsumerDependencies, DoorHandler, DoorReplier, door_limits
from consumers.loop import ConsumerLoop
from consumers.pending_messages import decoding_values
from domain.clock import system_clock
from domain.door.model import DoorResult
from domain.unit_of_work import Store
from integrations.kafka.clients import group_consumer_config
from integrations.kafka.messages import DoorCommand, decode_command
from integrations.kafka.reply_sender import ReplySender
from integrations.logs import configure_logging
from integrations.metrics_registry import MetricsRegistry
from integrations.settings import Settings


class Point(StrEnum):
    """Where the consumer dies or freezes."""

    NOWHERE = "nowhere"
    BEFORE_COMMIT = "before_commit"
    DELIVERED_BEFORE_COMMIT = "delivered_before_commit"  # all that was given to Kafka until then has arrived there
    BEFORE_REPLY = "before_reply"
    BEFORE_OFFSETS = "before_offsets"
    FROZEN_BEFORE_COMMIT = "frozen_before_commit"  # until it is woken; once


class Fate:
    """Knows when it is time, and does it."""

    def __init__(self, point: Point, after: int) -> None:
        self._point = point
        self._left = after
        self.deliver: Callable[[], None] = lambda: None

    def count(self, messages: int) -> None:
        self._left -= messages

    def strike(self, point: Point) -> None:
        if point is not self._point or self._left > 0:
            return
        self._point = Point.NOWHERE
        if point is Point.DELIVERED_BEFORE_COMMIT:
            self.deliver()
        os.kill(os.getpid(), signal.SIGSTOP if point is Point.FROZEN_BEFORE_COMMIT else signal.SIGKILL)


class DoomedStore(Store):
    def __init__(self, url: str, fate: Fate) -> None:
        super().__init__(url, pool_size=1)
        set_idle_session_timeout(self.engine, IDLE_SESSION_TIMEOUT_S)
        self._fate = fate

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with super().writing() as connection:
            yield connection
            self._fate.strike(Point.BEFORE_COMMIT)
            self._fate.strike(Point.DELIVERED_BEFORE_COMMIT)
            self._fate.strike(Point.FROZEN_BEFORE_COMMIT)


class DoomedHandler(DoorHandler):
    def __init__(self, settings: Settings, store: Store, fate: Fate) -> None:
        super().__init__(store, system_clock, door_limits(settings), MetricsRegistry())
        self._fate = fate

    def handle(self, messages: Sequence[DoorCommand]) -> Sequence[DoorResult | None]:
        self._fate.count(len(messages))
        results = super().handle(messages)
        self._fate.strike(Point.BEFORE_REPLY)
        return results


class DoomedConsumer(Consumer):
    """Dies with its replies delivered and its offsets not stored."""

    fate: Fate
    sender: ReplySender

    def store_offsets(self, *, offsets: list[TopicPartition]) -> None:  # type: ignore[override]
        self.sender.close()
        self.fate.strike(Point.BEFORE_OFFSETS)
        super().store_offsets(offsets=offsets)

    def deliver(self) -> None:
        """Send all replies, and commit all offsets that are stored."""
        self.sender.close()
        with suppress(KafkaException):  # none is stored
            self.commit(asynchronous=False)


def run(settings: Settings, point: Point, after: int) -> None:
    """Consume until killed.

    Args:
        settings: where the database and Kafka are.
        point: where it strikes.
        after: the number of messages, the batch in hand included, from which on it does.
    """
    configure_logging(settings)
    fate = Fate(point, after)
    parts = DoorConsumerDependencies(settings)
    consumer = DoomedConsumer(group_consumer_config(settings.kafka, settings.kafka.door_group))
    consumer.fate, consumer.sender = fate, parts.sender
    fate.deliver = consumer.deliver
    ConsumerLoop(
        consumer,
        settings.kafka.commands_topic,
        decoding_values(decode_command),
        DoomedHandler(settings, DoomedStore(settings.database.url.get_secret_value(), fate), fate),
        parts.dead_letters,
        DoorReplier(parts.sender, MetricsRegistry()),
        parts.limits,
    ).run()
