"""Idempotency keys in the database: claimed by one, continued by one, swept by later claims."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import pytest
from sqlalchemy import Connection, select

from cluster.local.mariadb import MariaDbServer
from domain.idempotency import (
    HELD_FOR,
    KeyClaim,
    KeyState,
    claim_key,
    end_attempt,
    free_key,
    idempotency_keys,
    keep_answer,
    set_subject,
)
from domain.ids import new_id
from domain.unit_of_work import Store
from tests.servers import migrated_database
from tests.world import START, World

T = TypeVar("T")
KEPT_FOR = timedelta(hours=24)


@pytest.fixture
def on_mariadb(mariadb: MariaDbServer) -> Iterator[World]:
    store = Store(migrated_database(mariadb))
    yield World(store)
    store.close()


def test_of_many_who_claim_a_key_at_once_one_gets_it(world: World) -> None:
    def claim(_number: int) -> KeyState:
        while True:
            try:
                return written(world, lambda connection: claim_key(connection, "k", "r", START, KEPT_FOR)).state
            except Exception as error:
                if "lock" not in str(error).lower() and "duplicate" not in str(error).lower():
                    raise

    with ThreadPoolExecutor(8) as threads:
        states = list(threads.map(claim, range(16)))
    assert states.count(KeyState.NEW) == 1
    assert states.count(KeyState.RUNNING) == 15


def test_a_key_is_new_running_answered_and_one_day_new_again(world: World) -> None:
    def claim(request: str = "r", at: timedelta = timedelta(0)) -> KeyClaim:
        return written(world, lambda connection: claim_key(connection, "k", request, START + at, KEPT_FOR))

    assert claim().state is KeyState.NEW
    assert claim().state is KeyState.RUNNING
    assert claim("other").state is KeyState.OTHER_REQUEST
    assert claim(at=timedelta(seconds=61)).state is KeyState.NEW, "a replica that died holds it no longer"
    written(world, lambda connection: keep_answer(connection, "k", "sealed"))
    assert claim() == KeyClaim(KeyState.ANSWERED, answer="sealed")
    assert claim("other").state is KeyState.OTHER_REQUEST
    assert claim(at=timedelta(hours=25)).state is KeyState.NEW
    written(world, lambda connection: free_key(connection, "k"))
    assert claim().state is KeyState.NEW


def test_a_key_whose_attempt_ended_without_an_answer_is_continued_by_one(world: World) -> None:
    def claim(at: timedelta = timedelta(0)) -> KeyClaim:
        return written(world, lambda connection: claim_key(connection, "k", "r", START + at, KEPT_FOR))

    row = new_id()
    assert claim().state is KeyState.NEW
    written(world, lambda connection: set_subject(connection, "k", row))
    assert claim().state is KeyState.RUNNING
    written(world, lambda connection: end_attempt(connection, "k"))
    assert claim() == KeyClaim(KeyState.UNFINISHED, subject_id=row)
    assert claim().state is KeyState.RUNNING
    assert claim(HELD_FOR) == KeyClaim(KeyState.UNFINISHED, subject_id=row)


def test_keys_older_than_they_are_kept_are_swept_and_those_that_somebody_holds_are_left(
    on_mariadb: World,
) -> None:
    world = on_mariadb
    for key in ("held", "old"):
        written(world, lambda connection: claim_key(connection, key, "r", START, KEPT_FOR))  # noqa: B023 - run at once
    later = START + KEPT_FOR + timedelta(seconds=1)
    with world.store.writing() as other:
        other.execute(select(idempotency_keys).where(idempotency_keys.c.key == "held").with_for_update())
        written(world, lambda connection: claim_key(connection, "new", "r", later, KEPT_FOR))
    with world.store.reading() as connection:
        assert set(connection.execute(select(idempotency_keys.c.key)).scalars()) == {"held", "new"}


def written(world: World, use_case: Callable[[Connection], T]) -> T:
    with world.store.writing() as connection:
        return use_case(connection)
