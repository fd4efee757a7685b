"""The job sends commands for gyms with forgotten visits while it holds the lease, and no others."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from uuid import UUID

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from consumers.periodic_jobs import ForgottenVisitsJob
from domain.door.model import Direction
from integrations.kafka.command_producer import CommandProducer
from integrations.kafka.messages import DoorCommand, ExpireVisitsCommand
from tests.stores import sqlite_store
from tests.unit.consumers.leases import FakeLease
from tests.world import World

INTERVAL_S = 20.0


class Pauses(Event):
    """Stops the thread after a number of pauses. Each moves the world's clock by an hour."""

    def __init__(self, world: World, pauses: int) -> None:
        super().__init__()
        self._world = world
        self._left = pauses
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        self._world.clock.forward(3600)
        self._left -= 1
        if not self._left:
            self.set()
        return self.is_set()


class FakeProducer(CommandProducer):
    """Keeps the commands."""

    def __init__(self) -> None:  # without Kafka, so the original's is not called
        self.commands: list[tuple[UUID, DoorCommand]] = []
        self.closed = False

    def produce(self, commands: Sequence[tuple[UUID, DoorCommand]]) -> list[bool]:
        self.commands += commands
        return [True] * len(commands)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = sqlite_store(tmp_path)
    yield World(store)
    store.close()


def test_a_gym_with_a_forgotten_visit_gets_commands_until_the_visit_has_ended(world: World) -> None:
    gym, quiet = world.gym(), world.gym()
    for one in (gym, quiet):
        world.answer(world.scan(one, world.code(world.member()), Direction.ENTER))
    world.change_gym(quiet, longest_visit_s=24 * 3600)
    producer, lease, pauses = FakeProducer(), FakeLease(world.store), Pauses(world, 8)
    ForgottenVisitsJob(lease, producer, INTERVAL_S, world.clock, stopping=pauses).run()
    assert [gym_id for gym_id, _ in producer.commands] == [
        gym,
        gym,
    ]  # after six hours, and again because the visit is still open
    (_, command), _ = producer.commands
    assert isinstance(command, ExpireVisitsCommand)
    assert (command.expire.gym_id, command.reply_to) == (gym, None)
    assert (lease.attempts, lease.releases, producer.closed) == (1, 1, True)
    assert pauses.seconds == [INTERVAL_S] * 8


def test_without_the_lease_no_command_is_sent_and_an_unavailable_database_is_retried(world: World) -> None:
    gym = world.gym()
    world.answer(world.scan(gym, world.code(world.member()), Direction.ENTER))
    world.clock.forward(24 * 3600)
    producer, pauses = FakeProducer(), Pauses(world, 4)
    unavailable = OperationalError("SELECT", {}, Exception("gone"))
    lease = FakeLease(world.store, [False, unavailable, ValueError("a defect"), True])
    ForgottenVisitsJob(lease, producer, INTERVAL_S, world.clock, stopping=pauses).run()
    assert (len(producer.commands), lease.releases) == (1, 2), "after a defect, and at the end"
    assert pauses.seconds == [10.0, 10.0, 10.0, INTERVAL_S], "the lease is tried more often than the job runs"


def test_after_an_unnoticed_loss_of_the_lease_no_command_is_sent(world: World) -> None:
    gym = world.gym()
    world.answer(world.scan(gym, world.code(world.member()), Direction.ENTER))
    world.clock.forward(24 * 3600)

    class LostLease(FakeLease):
        def check(self, connection: Connection) -> None:
            self.is_held = self.attempts > 1  # the database says so
            super().check(connection)

    producer, lease = FakeProducer(), LostLease(world.store)
    ForgottenVisitsJob(lease, producer, INTERVAL_S, world.clock, stopping=Pauses(world, 2)).run()
    assert len(producer.commands) == 1, "in the second run, after it took the lease again"
    assert (lease.attempts, lease.releases) == (2, 1)


def test_a_job_that_hangs_or_has_ended_is_not_healthy(world: World) -> None:
    """Its lease is still renewed, so only the health check leads to another holder."""
    now, begun, goes_on, stopping = [100.0], Event(), Event(), Event()

    class Hanging(ForgottenVisitsJob):
        def run_once(self) -> None:
            begun.set()
            goes_on.wait(60)

    lease = FakeLease(world.store)
    job = Hanging(lease, FakeProducer(), INTERVAL_S, world.clock, monotonic=lambda: now[0], stopping=stopping)
    assert not job.healthy, "not started"
    job.start()
    assert begun.wait(60)
    now[0] += 20 + 899
    assert job.healthy
    now[0] += 2
    assert not job.healthy
    lease.seconds_since_check = 5.0
    assert job.healthy, "it writes"
    goes_on.set()
    assert job.stop(60)
    assert not job.healthy
