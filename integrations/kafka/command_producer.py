"""Produces commands on `door-commands`."""

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
    """Enqueues commands, and counts those that were not delivered. Safe to share between threads.

    A command that Kafka does not accept before its deadline is dropped, because its caller does not wait any longer.

    Args:
        settings: Kafka, and the deadline of commands.

    Attributes:
        refused: commands that could not be enqueued.
        failed_deliveries: commands that were enqueued and not delivered.
    """

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.kafka.commands_topic
        # No report means delivered: reports of successful deliveries would cost more than producing the commands.
        config = producer_config(settings.kafka, settings.door.deadline_s) | {"delivery.report.only.error": True}
        self._producer = Producer(config)
        self._flush_timeout_s = settings.door.deadline_s
        self._stopping = Event()
        self._thread = Thread(target=self._poll_reports, name="command-producer", daemon=True)
        self._has_fatal_error = False
        self.refused = 0
        self.failed_deliveries = 0
        self._thread.start()

    @property
    def healthy(self) -> bool:
        """Whether commands can be produced. Once false it stays false, and the replica must be replaced."""
        return self._thread.is_alive() and not self._has_fatal_error

    def produce(self, commands: Sequence[tuple[UUID, DoorCommand]]) -> list[bool]:
        """Enqueue commands, each with the id of its gym, which is the message key.

        Returns:
            For each command whether it was enqueued. A command that was not will get no reply.
        """
        return [self._enqueue(gym_id, command) for gym_id, command in commands]

    def close(self) -> None:
        """Deliver what is queued, for at most the deadline of commands, and stop the thread."""
        self._stopping.set()
        self._thread.join()
        self._producer.flush(self._flush_timeout_s)

    def _enqueue(self, gym_id: UUID, command: DoorCommand) -> bool:
        try:
            self._producer.produce(self._topic, encode(command), key=str(gym_id).encode(), on_delivery=self._on_report)
        except Exception as error:  # noqa: BLE001 - a full queue, or a command that cannot be encoded
            self._has_fatal_error = self._has_fatal_error or is_fatal(error)
            self.refused += 1
            _log.warning("command_not_enqueued", command_id=str(command.command_id), error=str(error))
            return False
        return True

    def _poll_reports(self) -> None:
        while not self._stopping.is_set():
            failed_before = self.failed_deliveries
            self._producer.poll(0.1)
            if self.failed_deliveries > failed_before:
                _log.warning("commands_not_delivered", commands=self.failed_deliveries - failed_before)

    def _on_report(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self.failed_deliveries += 1
