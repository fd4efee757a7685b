"""Putting commands on `door-commands`."""

from collections.abc import Sequence
from threading import Event, Thread
from uuid import UUID

import structlog
from confluent_kafka import KafkaError, Message, Producer

from integrations.kafka.clients import is_fatal, producer_config
from integrations.kafka.messages import DoorCommand, encode
from integrations.settings import Settings

_log = structlog.get_logger(__name__)


class CommandProducer:
    """Enqueues commands and counts those that Kafka did not take. Safe to share between threads.

    A command that Kafka does not take until its deadline is given up: nobody waits for it any more.
    """

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.kafka.commands_topic
        # Silence means delivered: a report for each command would cost more than its production.
        config = producer_config(settings.kafka, settings.door.deadline_s) | {"delivery.report.only.error": True}
        self._producer = Producer(config)
        self._flush_s = settings.door.deadline_s
        self._stopping = Event()
        self._thread = Thread(target=self._serve_reports, name="command-producer", daemon=True)
        self._broken = False
        self.refused = 0  # not even enqueued
        self.failed_deliveries = 0
        self._thread.start()

    @property
    def healthy(self) -> bool:
        """Whether commands can still be produced; once false it stays so, and the replica must be replaced."""
        return self._thread.is_alive() and not self._broken

    def produce(self, commands: Sequence[tuple[UUID, DoorCommand]]) -> list[bool]:
        """Enqueue commands, each with the gym whose order it belongs to.

        Returns:
            For each command whether it was enqueued. One that was not will not be answered.
        """
        return [self._enqueue(gym_id, command) for gym_id, command in commands]

    def close(self) -> None:
        """Send what is queued, for no longer than anyone waits for it, and let go."""
        self._stopping.set()
        self._thread.join()
        self._producer.flush(self._flush_s)

    def _enqueue(self, gym_id: UUID, command: DoorCommand) -> bool:
        try:
            self._producer.produce(self._topic, encode(command), key=str(gym_id).encode(), on_delivery=self._reported)
        except Exception as error:  # noqa: BLE001 - a full queue, or a command that cannot be encoded: its own fault only
            self._broken = self._broken or is_fatal(error)
            self.refused += 1
            _log.warning("command_not_enqueued", command_id=str(command.command_id), error=str(error))
            return False
        return True

    def _serve_reports(self) -> None:
        while not self._stopping.is_set():
            failed_before = self.failed_deliveries
            self._producer.poll(0.1)
            if self.failed_deliveries > failed_before:
                _log.warning("commands_not_delivered", commands=self.failed_deliveries - failed_before)

    def _reported(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self.failed_deliveries += 1
