"""The timekeeper: one thread of all asks the door to end what was forgotten, as soon as it is over."""

import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import Protocol
from uuid import UUID

import structlog
from sqlalchemy import Connection

from consumers.duty import Duty
from consumers.frozen import give_up_locks_when_frozen
from domain.clock import Clock, system_clock
from domain.door.model import TidyRequest
from domain.door.tidying import gyms_to_tidy
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.kafka.command_producer import CommandProducer
from integrations.kafka.messages import DoorCommand, TidyCommand
from integrations.settings import Settings
from integrations.store_lock import StoreLock, store_lock

_log = structlog.get_logger(__name__)

# At work it uses the lock's connection every pace; the server takes a silent holder for lost after so long.
LOCK_LOST_AFTER_S = 90
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
        lock: of the store that it looks at.
        commands: the way to the door.
        clock: the present.
        pace_s: from one look to the next.
        monotonic: seconds of a clock that only rises.
        stopping: ends it once set; it rests by waiting for that.
    """

    def __init__(
        self,
        lock: StoreLock,
        commands: Commands,
        clock: Clock = system_clock,
        pace_s: float = _PACE_S,
        monotonic: Callable[[], float] = time.monotonic,
        stopping: Event | None = None,
    ) -> None:
        super().__init__("timekeeper", lock, pace_s, monotonic, stopping)
        self._commands = commands
        self._clock = clock

    def work(self, connection: Connection) -> None:
        """Ask the door to end what is over."""
        now = self._clock()
        over = gyms_to_tidy(connection, now)
        if over:
            _log.info("forgotten", gyms=len(over))
        self._commands.produce(
            [(gym_id, TidyCommand(command_id=new_id(), tidy=TidyRequest(gym_id, now))) for gym_id in over]
        )

    def close(self) -> None:
        """Send what is queued."""
        self._commands.close()


def timekeeper(settings: Settings) -> Timekeeper:
    """The timekeeper of one replica, with a connection and a producer of its own."""
    database = settings.database
    store = Store(database.url.get_secret_value(), pool_size=1, statement_timeout_s=database.statement_timeout_s)
    give_up_locks_when_frozen(store.engine, LOCK_LOST_AFTER_S)
    lock = store_lock(store.engine, "timekeeper")
    return Timekeeper(lock, CommandProducer(settings), pace_s=settings.door.tidy_every_s)
