"""The client for everything that changes who is inside: send a command, await its reply."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

from domain.clock import Clock, system_clock
from integrations.kafka.command_producer import CommandProducer
from integrations.kafka.messages import DoorCommand, DoorReply
from integrations.kafka.replies import ReplyListener
from integrations.settings import Settings

# A decision made at the last moment still needs this long to arrive.
_REPLY_TRANSPORT = timedelta(milliseconds=100)


class NoAnswerInTime(Exception):  # noqa: N818 - named like the API's code `no_answer_in_time`
    """A command got no reply before its deadline. It may have been decided: the caller repeats it with the same id.

    Args:
        command_id: of the command.
    """

    def __init__(self, command_id: UUID) -> None:
        super().__init__(command_id)
        self.command_id = command_id


class DoorCommandClient:
    """Sends commands to the door's consumer and awaits the replies. Used in one event loop.

    Args:
        settings: of Kafka.
        listener: receives the replies. Its owner starts and closes it.
        producer: shared with others; None: the client opens its own.
        clock: the current time, compared with deadlines.
    """

    def __init__(
        self,
        settings: Settings,
        listener: ReplyListener,
        producer: CommandProducer | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._listener = listener
        self._owns_producer = producer is None
        self._producer = producer or CommandProducer(settings)
        self._clock = clock

    @property
    def healthy(self) -> bool:
        """Whether commands can be sent and replies received."""
        return self._producer.healthy and self._listener.healthy

    async def send(self, command: DoorCommand, gym_id: UUID, decide_by: datetime) -> DoorReply:
        """Send a command and wait for its reply until its deadline.

        Args:
            command: with the listener's `reply_to`.
            gym_id: the gym whose commands it is ordered with.
            decide_by: the deadline in the command.

        Raises:
            NoAnswerInTime: no reply arrived, or the command could not be sent.
        """
        # Registered before `produce`, because the reply may arrive before `produce` returns.
        future = self._listener.expect(command.command_id)
        try:
            if not self._producer.produce([(gym_id, command)])[0]:
                raise NoAnswerInTime(command.command_id)
            left = decide_by + _REPLY_TRANSPORT - self._clock()
            async with asyncio.timeout(max(0.0, left.total_seconds())):
                return await future
        except TimeoutError:
            raise NoAnswerInTime(command.command_id) from None
        finally:
            self._listener.forget(command.command_id)

    def close(self) -> None:
        """Close the client's own producer. A shared producer and the listener are closed by their owners."""
        if self._owns_producer:
            self._producer.close()
