"""The timekeeper asks for what is over, while it holds the lock, and for nothing else."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from uuid import UUID

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from consumers.timekeeper import Timekeeper
from domain.door.model import Direction
from integrations.kafka.messages import DoorCommand, TidyCommand
from tests.stores import sqlite_store
from tests.world import World


class Rests(Event):
    """Ends the thread after so many rests; each moves the world's clock by an hour."""

    def __init__(self, world: World, rests: int) -> None:
        super().__init__()
        self._world = world
        self._left = rests

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout == 20.0
        self._world.clock.forward(3600)
        self._left -= 1
        if not self._left:
            self.set()
        return self.is_set()


class Log:
    """Takes commands."""

    def __init__(self) -> None:
        self.commands: list[tuple[UUID, DoorCommand]] = []
        self.closed = False

    def produce(self, commands: Sequence[tuple[UUID, DoorCommand]], /) -> list[bool]:
        self.commands += commands
        return [True] * len(commands)

    def close(self) -> None:
        self.closed = True


class Lock:
    """Gives what it is told to, one question after the other."""

    def __init__(self, *answers: Connection | Exception | None) -> None:
        self._answers = list(answers)
        self.released = self.asked = 0

    def ask(self) -> Connection | None:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = sqlite_store(tmp_path)
    yield World(store)
    store.close()


def test_it_asks_the_gym_where_something_is_over_until_it_is_done(world: World) -> None:
    gym, quiet = world.gym(), world.gym()
    for one in (gym, quiet):
        world.answer(world.scan(one, world.code(world.member()), Direction.ENTER))
    world.change_gym(quiet, longest_visit_s=24 * 3600)
    log = Log()
    with world.store.reading() as connection:
        lock = Lock(connection)
        Timekeeper(lock, log, world.clock, stopping=Rests(world, 8)).run()
    assert [gym_id for gym_id, _ in log.commands] == [gym, gym]  # after six hours, and again as nobody has done it
    (_, command), _ = log.commands
    assert isinstance(command, TidyCommand)
    assert (command.tidy.gym_id, command.reply_to) == (gym, None)
    assert (lock.asked, lock.released, log.closed) == (1, 1, True)


def test_without_the_lock_it_asks_for_nothing_and_a_database_that_is_away_comes_back(world: World) -> None:
    gym = world.gym()
    world.answer(world.scan(gym, world.code(world.member()), Direction.ENTER))
    world.clock.forward(24 * 3600)
    log = Log()
    with world.store.reading() as connection:
        away = OperationalError("SELECT", {}, Exception("gone"))
        lock = Lock(None, away, ValueError("a defect"), connection)
        Timekeeper(lock, log, world.clock, stopping=Rests(world, 4)).run()
    assert (len(log.commands), lock.released) == (1, 3)
