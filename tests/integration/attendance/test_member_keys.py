"""Keys of members: one for each, none for a deleted account, gone with the account."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text

from domain.attendance.member_keys import keys_of
from domain.attendance.tables import member_keys
from domain.identity.personal_data_service import begin_deleting, finish_deleting
from domain.ids import new_id
from domain.unit_of_work import Store
from tests.waiting import wait_until
from tests.world import START, World


@pytest.fixture
def world(store_url: str) -> Iterator[World]:
    store = Store(store_url, pool_size=6)
    yield World(store)
    store.close()


def test_a_member_has_one_key_though_several_replicas_ask_at_once(world: World) -> None:
    members = world.members(120)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: keys_of(world.store, members), range(4)))
    assert all(keys == found[0] for keys in found)
    assert len(set(found[0].values())) == 120
    assert keys_of(world.store, [new_id()]) == {}


def test_the_key_goes_with_the_account(world: World) -> None:
    mia, ben = world.members(2)
    keys = keys_of(world.store, [mia, ben])
    with world.store.writing() as connection:
        begin_deleting(connection, mia, mia, START)
    assert keys_of(world.store, [mia, ben]) == {ben: keys[ben]}
    with world.store.writing() as connection:
        finish_deleting(connection, mia, START)
        assert connection.execute(select(func.count()).select_from(member_keys)).scalar() == 1


def test_an_account_that_is_being_deleted_gets_no_key(world: World) -> None:
    """Without the lock on the user, the key would be created after the deletion had looked for one."""
    (mia,) = world.members(1)
    with ThreadPoolExecutor(1) as pool:
        with world.store.writing() as connection:
            begin_deleting(connection, mia, mia, START)
            created = pool.submit(keys_of, world.store, [mia])
            if connection.dialect.name != "sqlite":  # whose writers wait for each other in any case
                wait_until(lambda: is_locked_out(world.store))
        assert created.result(30) == {}
    with world.store.reading() as connection:
        assert connection.execute(select(member_keys)).all() == []


def is_locked_out(store: Store) -> bool:
    """Whether another connection is still in the query that locks users."""
    with store.reading() as connection:
        query = text(
            "SELECT COUNT(*) FROM information_schema.processlist"
            " WHERE db = DATABASE() AND id <> CONNECTION_ID() AND info LIKE 'SELECT users.id%SHARE%'"
        )
        return bool(connection.execute(query).scalar())
