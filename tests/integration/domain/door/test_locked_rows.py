"""Nobody waits for a gym or a member whom somebody else holds; the others are decided without them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Table, select

from cluster.local.mariadb import MariaDbServer
from domain.door.model import (
    AnnulAnswer,
    Direction,
    DoorRequest,
    DoorResult,
    Outcome,
    PassReading,
    PassStatus,
    Problem,
    Rejected,
    ScanAnswer,
)
from domain.door.service import decide_batch
from domain.gyms.tables import gyms
from domain.identity.tables import users
from domain.ids import new_id
from domain.unit_of_work import Store
from tests.servers import migrated_database
from tests.world import World


@pytest.fixture
def world(mariadb: MariaDbServer) -> Iterator[World]:
    """SQLite has one lock for everything: there is nothing to step around."""
    url = migrated_database(mariadb)
    store = Store(url, statement_timeout_s=1)
    yield World(store)
    store.close()


@contextmanager
def held(world: World, table: Table, row_id: UUID) -> Iterator[None]:
    with world.store.writing() as connection:
        connection.execute(select(table.c.id).where(table.c.id == row_id).with_for_update())
        yield


def asked(world: World, *requests: DoorRequest) -> list[DoorResult | None]:
    with world.store.writing() as connection:
        return decide_batch(connection, requests, world.clock, world.limits)


def outcome(result: DoorResult | None) -> Outcome:
    assert isinstance(result, ScanAnswer)
    return result.outcome


def test_a_held_gym_waits_and_the_others_do_not(world: World) -> None:
    hung, free = world.gym(), world.gym()
    one, two, three = world.members(3)
    scans = [
        world.scan(hung, world.code(one), Direction.ENTER),
        world.scan(free, world.code(two), Direction.ENTER),
        world.scan(hung, world.code(three), Direction.ENTER),
    ]
    with held(world, gyms, hung):
        results = asked(world, *scans)
    assert [result is None for result in results] == [True, False, True]
    assert outcome(results[1]) is Outcome.ENTERED
    assert world.inside(hung) == []
    assert [outcome(result) for result in asked(world, scans[0], scans[2])] == [Outcome.ENTERED] * 2


def test_a_held_member_waits_and_the_others_of_the_gym_do_not(world: World) -> None:
    gym = world.gym()
    one, two = world.members(2)
    scans = [world.scan(gym, world.code(member), Direction.ENTER) for member in (one, two)]
    with held(world, users, one):
        results = asked(world, *scans)
    assert results[0] is None
    assert outcome(results[1]) is Outcome.ENTERED
    assert world.inside(gym) == [two]


def test_an_annulment_does_not_come_before_its_scan_that_waits(world: World) -> None:
    gym = world.gym()
    member = world.member()
    scan = world.scan(gym, world.code(member), Direction.ENTER)
    annulment = world.annulment(gym, scan.scan_id)
    with held(world, users, member):
        assert asked(world, scan, annulment) == [None, None]
    entered, annulled = asked(world, scan, annulment)
    assert outcome(entered) is Outcome.ENTERED
    assert isinstance(annulled, AnnulAnswer)
    assert world.inside(gym) == []


def test_an_annulment_waits_for_the_member_of_its_scan(world: World) -> None:
    gym = world.gym()
    member = world.member()
    scan = world.scan(gym, world.code(member), Direction.ENTER)
    world.answer(scan)
    with held(world, users, member):
        assert asked(world, world.annulment(gym, scan.scan_id)) == [None]
    assert world.inside(gym) == [member]


def test_an_annulment_beside_a_scan_of_its_id_with_another_code_waits_for_its_own_member(world: World) -> None:
    gym = world.gym()
    member = world.member()
    scan = world.scan(gym, world.code(member), Direction.ENTER)
    world.answer(scan)
    forged = world.scan(gym, PassReading(PassStatus.FORGED), Direction.ENTER, scan_id=scan.scan_id)
    with held(world, users, member):
        assert asked(world, world.annulment(gym, scan.scan_id), forged) == [None, None]
    assert world.inside(gym) == [member]


def test_a_gym_that_does_not_exist_does_not_wait(world: World) -> None:
    gym = world.gym()
    nowhere = new_id()
    world.gates[nowhere] = new_id()
    member = world.member()
    with held(world, gyms, gym):
        here, there = asked(
            world, world.scan(gym, world.code(member)), world.scan(nowhere, world.code(member), Direction.ENTER)
        )
    assert here is None
    assert isinstance(there, Rejected)
    assert there.problem is Problem.UNKNOWN_GYM


def test_a_member_who_does_not_exist_does_not_wait(world: World) -> None:
    gym = world.gym()
    world.clock.forward(timedelta(seconds=1).total_seconds())
    assert outcome(world.ask(world.scan(gym, world.code(new_id()), Direction.ENTER))[0]) is Outcome.REFUSED


@pytest.mark.parametrize("members_inside", [2, 6, 40, 200])
def test_a_batch_does_not_wait_for_the_rows_of_another_one(world: World, members_inside: int) -> None:
    """But for one that lets in who left a moment ago, where InnoDB locks the next entry of a unique index as well."""
    hung, free = world.gym(1000), world.gym(1000)
    inside, new = world.members(members_inside), world.members(members_inside)

    def scans(gym: UUID, members: list[UUID], direction: Direction) -> list[DoorRequest]:
        world.clock.forward(20)
        return [world.scan(gym, world.code(member), direction) for member in members]

    # Their rows lie between one another's in every table and index.
    for place, member in enumerate(inside):
        world.ask(*scans(free if place % 2 else hung, [member], Direction.ENTER))
    with world.store.writing() as connection:
        decide_batch(connection, scans(hung, inside[::2], Direction.LEAVE), world.clock, world.limits)
        decide_batch(connection, scans(hung, new[::2], Direction.ENTER), world.clock, world.limits)
        # Not committed while the other one goes on.
        for members, direction in (
            (new[1::2], Direction.ENTER),
            (inside[1::2], Direction.LEAVE),
            (new[1::2], Direction.LEAVE),
        ):
            results = asked(world, *scans(free, members, direction))
            assert {outcome(result) for result in results} <= {Outcome.LEFT, Outcome.ENTERED}
    assert world.inside(free) == []
    assert sorted(map(str, world.inside(hung))) == sorted(map(str, new[::2]))


def test_locks_are_taken_of_the_asked_gyms_alone(world: World) -> None:
    asked_for, beside = world.gym(), world.gym()
    member = world.member()
    with world.store.writing() as connection:
        decide_batch(
            connection, [world.scan(asked_for, world.code(member), Direction.ENTER)], world.clock, world.limits
        )
        with world.store.writing() as other:
            assert other.execute(
                select(gyms.c.id).where(gyms.c.id == beside).with_for_update(skip_locked=True)
            ).one_or_none()
