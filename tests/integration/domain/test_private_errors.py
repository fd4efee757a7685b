"""What a database says of an error names nobody, whoever logs or shows it."""

import traceback
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import DBAPIError

from domain.identity.tables import user_changes, users
from domain.ids import new_id
from domain.unit_of_work import should_retry
from tests.world import START, World

EMAIL, NAME = "mia.ruiz@example.org", "Mia Ruiz' for key 'mia"


def _twice(connection: Connection) -> None:
    for _ in range(2):
        connection.execute(insert(users).values(id=new_id(), email=EMAIL, name=NAME, created_at=START))


def _no_statement(connection: Connection) -> None:
    connection.execute(text(f"SELEKT '{EMAIL}', :name"), {"name": NAME})


def _null(connection: Connection) -> None:
    connection.execute(
        insert(user_changes).values(id=new_id(), user_id=None, by_id=None, what="renamed", detail=NAME, at=START)
    )


@pytest.mark.parametrize("fault", [_twice, _no_statement, _null])
def test_an_error_of_the_database_says_what_but_not_who(world: World, fault: Callable[[Connection], None]) -> None:
    with pytest.raises(DBAPIError) as raised, world.store.writing() as connection:
        fault(connection)
    error = raised.value
    said = "".join(traceback.format_exception(error)) + str(error) + repr(error) + str(error.orig) + repr(error.orig)
    # The text of this test's own statement is the test's fault: it is no parameter.
    told = said.replace(f"SELEKT '{EMAIL}'", "")
    for word in ("mia.ruiz", "Ruiz", "mia'"):
        assert word not in told
    assert should_retry(error) == (fault is _twice)
    if fault is not _no_statement:
        assert ("email" if fault is _twice else "user_id") in str(error.orig), "which column or key is still said"


@pytest.mark.parametrize("store_url", ["mariadb"], indirect=True)  # SQLite keeps texts of any length
def test_what_was_too_long_is_not_repeated(world: World) -> None:
    with pytest.raises(DBAPIError, match="'email'") as raised, world.store.writing() as connection:
        connection.execute(insert(users).values(id=new_id(), email=EMAIL * 20, name="Mia", created_at=START))
    assert "mia" not in str(raised.value)
    with world.store.reading() as connection:
        assert connection.execute(select(users)).all() == []
