"""The timekeeper asks for what is over, while it holds the lease, and for nothing else."""

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
from tests.unit.consumers.leases import FakeLease
from tests.world import World


class Rests(Event):
    """Ends the thread after so many rests; each moves the world's clock by an hour."""

    def __init__(self, world: World, rests: int) -> None:
        super().__init__()
        self._world = world
        self._left = rests
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
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
    log, lease, rests = Log(), FakeLease(world.store), Rests(world, 8)
    Timekeeper(lease, log, world.clock, stopping=rests).run()
    assert [gym_id for gym_id, _ in log.commands] == [gym, gym]  # after six hours, and again as nobody has done it
    (_, command), _ = log.commands
    assert isinstance(command, TidyCommand)
    assert (command.tidy.gym_id, command.reply_to) == (gym, None)
    assert (lease.asked, lease.released, log.closed) == (1, 1, True)
    assert rests.seconds == [20.0] * 8


def test_without_the_lease_it_asks_for_nothing_and_a_database_that_is_away_comes_back(world: World) -> None:
    gym = world.gym()
    world.answer(world.scan(gym, world.code(world.member()), Direction.ENTER))
    world.clock.forward(24 * 3600)
    log, rests = Log(), Rests(world, 4)
    away = OperationalError("SELECT", {}, Exception("gone"))
    lease = FakeLease(world.store, [False, away, ValueError("a defect"), True])
    Timekeeper(lease, log, world.clock, stopping=rests).run()
    assert (len(log.commands), lease.released) == (1, 2), "after a defect, and at the end"
    assert rests.seconds == [10.0, 10.0, 10.0, 20.0], "it asks more often than it works"


def test_a_lease_that_was_lost_unnoticed_lets_it_ask_for_nothing(world: World) -> None:
    gym = world.gym()
    world.answer(world.scan(gym, world.code(world.member()), Direction.ENTER))
    world.clock.forward(24 * 3600)

    class LostLease(FakeLease):
        def check(self, connection: Connection) -> None:
            self.is_held = self.asked > 1  # the database says so
            super().check(connection)

    log, lease = Log(), LostLease(world.store)
    Timekeeper(lease, log, world.clock, stopping=Rests(world, 2)).run()
    assert len(log.commands) == 1, "in the second round, with a lease that it has taken anew"
    assert (lease.asked, lease.released) == (2, 1)


def test_a_duty_that_hangs_or_has_ended_is_not_healthy(world: World) -> None:
    """Its lease is renewed all the while: only the health check brings another holder."""
    now, begun, goes_on, stopping = [100.0], Event(), Event(), Event()

    class Hanging(Timekeeper):
        def work(self) -> None:
            begun.set()
            goes_on.wait(60)

    lease = FakeLease(world.store)
    duty = Hanging(lease, Log(), world.clock, monotonic=lambda: now[0], stopping=stopping)
    assert not duty.healthy, "not begun"
    duty.start()
    assert begun.wait(60)
    now[0] += 20 + 899
    assert duty.healthy
    now[0] += 2
    assert not duty.healthy
    lease.unchecked_for_s = 5.0
    assert duty.healthy, "it makes effects"
    goes_on.set()
    assert duty.stop(60)
    assert not duty.healthy
