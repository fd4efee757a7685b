"""The timekeeper: one thread of all asks the door to end what was forgotten, as soon as it is over."""

import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import Protocol
from uuid import UUID

import structlog

from consumers.duty import Duty, duty_lease
from consumers.ports import LeaderLease
from domain.clock import Clock, system_clock
from domain.door.model import TidyRequest
from domain.door.service import gyms_to_tidy
from domain.ids import new_id
from integrations.kafka.command_producer import CommandProducer
from integrations.kafka.messages import DoorCommand, TidyCommand
from integrations.settings import Settings

_log = structlog.get_logger(__name__)

_PACE_S = 20.0


class Commands(Protocol):
    """Where commands for the door go."""

    def produce(self, commands: Sequence[tuple[UUID, DoorCommand]], /) -> list[bool]:
        """Send commands, each by its gym's id."""

    def close(self) -> None:
        """Send what is queued."""


class Timekeeper(Duty):
    """Looks for what is over.

    It changes nothing itself: the door does, on a command in its gym's order. One that is lost is sent again next time.

    Args:
        lease: of the store that it looks at.
        commands: the way to the door.
        clock: the present.
        pace_s: from one look to the next.
        monotonic: seconds of a clock that only rises.
        stopping: ends it once set; it rests by waiting for that.
    """

    def __init__(
        self,
        lease: LeaderLease,
        commands: Commands,
        clock: Clock = system_clock,
        pace_s: float = _PACE_S,
        monotonic: Callable[[], float] = time.monotonic,
        stopping: Event | None = None,
    ) -> None:
        super().__init__("timekeeper", lease, pace_s, monotonic, stopping)
        self._commands = commands
        self._clock = clock

    def work(self) -> None:
        """Ask the door to end what is over. Who is late with that does no harm: the door decides what is over."""
        now = self._clock()
        with self._lease.store.reading() as connection:
            self._lease.check(connection)
            over = gyms_to_tidy(connection, now)
        if over:
            _log.info("forgotten", gyms=len(over))
        self._commands.produce(
            [(gym_id, TidyCommand(command_id=new_id(), tidy=TidyRequest(gym_id, now))) for gym_id in over]
        )

    def close(self) -> None:
        """Send what is queued."""
        self._commands.close()
        super().close()


def timekeeper(settings: Settings) -> Timekeeper:
    """The timekeeper of one replica, with a connection and a producer of its own."""
    lease = duty_lease(settings, "timekeeper")
    return Timekeeper(lease, CommandProducer(settings), pace_s=settings.door.tidy_every_s)
