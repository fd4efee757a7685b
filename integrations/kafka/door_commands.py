"""The one client for what changes who is inside: send a command, await its reply."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

from domain.clock import Clock, system_clock
from integrations.kafka.command_producer import CommandProducer
from integrations.kafka.messages import DoorCommand, DoorReply
from integrations.kafka.replies import ReplyListener
from integrations.settings import Settings

# A decision made just in time still has its way back before it.
_WAY_BACK = timedelta(milliseconds=100)


class NoAnswerInTime(Exception):  # noqa: N818 - says what happened, in the door's words
    """A command was not answered before its deadline. It may still have been decided: ask again by the same id.

    Args:
        command_id: of the command.
    """

    def __init__(self, command_id: UUID) -> None:
        super().__init__(command_id)
        self.command_id = command_id


class DoorCommandClient:
    """Sends commands to the door and awaits what it says. Lives in one event loop.

    Args:
        settings: where Kafka is.
        listener: hears the replies; its owner starts and closes it.
        producer: shared with others; one of its own when None.
        clock: tells how long a deadline is off.
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
        """Whether commands can be sent and replies heard."""
        return self._producer.healthy and self._listener.healthy

    async def send(self, command: DoorCommand, gym_id: UUID, decide_by: datetime) -> DoorReply:
        """Send a command and wait for its reply until its deadline.

        Args:
            command: with the listener's `reply_to`.
            gym_id: whose order the command belongs to.
            decide_by: the deadline that the command itself carries.

        Raises:
            NoAnswerInTime: no reply came, or the command could not even be sent.
        """
        # Registered first: the reply may be here before `produce` returns.
        future = self._listener.expect(command.command_id)
        try:
            if not self._producer.produce([(gym_id, command)])[0]:
                raise NoAnswerInTime(command.command_id)
            left = decide_by + _WAY_BACK - self._clock()
            async with asyncio.timeout(max(0.0, left.total_seconds())):
                return await future
        except TimeoutError:
            raise NoAnswerInTime(command.command_id) from None
        finally:
            self._listener.forget(command.command_id)

    def close(self) -> None:
        """Send what is queued. The listener is closed by its owner."""
        if self._owns_producer:
            self._producer.close()
