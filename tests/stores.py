"""Stores for tests, on engines that all tests of a worker share.

SQLAlchemy keeps the SQL that it has made of a statement with the engine. An engine for each test makes all of it anew,
which costs more than whatever the test asks of the store.
"""

from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import event, make_url

from domain.unit_of_work import Store
from tests.servers import migrate


def sqlite_store(folder: Path) -> Store:
    """A store in SQLite, in a new file with its tables; see `store_at`."""
    url = f"sqlite:///{folder / 'gym.sqlite3'}"
    migrate(url)
    return store_at(url)


def store_at(url: str) -> Store:
    """The worker's store of this kind, at an address. It closes the one before it; a test closes it at its end.

    A test that needs two at a time, or settings of the store's own, makes a `Store` itself.
    """
    store = _store("sqlite:///nowhere" if url.startswith("sqlite") else url)
    store.close()
    store.engine.url = make_url(url)
    return store


@cache
def _store(url: str) -> Store:
    store = Store(url)
    if store.engine.dialect.name == "sqlite":

        @event.listens_for(store.engine, "do_connect")
        def open_file(_dialect: object, _record: object, arguments: list[Any], _named: object) -> None:
            arguments[0] = store.engine.url.database

    return store
