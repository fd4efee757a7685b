"""What every desk that answers from the database shares: units of work, and a plain word while it is away."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

from domain.clock import Clock, system_clock
from domain.unit_of_work import Store, is_away
from integrations.settings import DatabaseSettings

T = TypeVar("T")


class StoreAwayError(Exception):
    """The database cannot be had for now. Plain, so that it crosses processes."""


class StoreDesk:
    """Answers on one store; its methods may run on several threads at once.

    Every method raises `StoreAwayError` while the database cannot be had.

    Args:
        store: the database.
        clock: the present.
    """

    def __init__(self, store: Store, clock: Clock = system_clock) -> None:
        self._store = store
        self._clock = clock

    def ping(self) -> bool:
        """That it answers, whatever the database does."""
        return True

    def ping_database(self) -> bool:
        """That the database answers."""
        with self._reading() as connection:
            connection.execute(text("SELECT 1"))
        return True

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with away_is_plain(), self._store.reading() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with away_is_plain(), self._store.writing() as connection:
            yield connection

    def _written(self, use_case: Callable[[Connection], T]) -> T:
        """A use case in a unit of work of its own, run again when another one was first."""
        with away_is_plain():
            return self._store.written(use_case)


def open_store(settings: DatabaseSettings) -> Store:
    """The store of one replica."""
    return Store(
        settings.url.get_secret_value(),
        pool_size=settings.pool_size,
        statement_timeout_s=settings.statement_timeout_s,
    )


@contextmanager
def away_is_plain() -> Iterator[None]:
    """Let a database that cannot be had be told as `StoreAwayError`."""
    try:
        yield
    except NoConnectionFreeError as error:
        raise StoreAwayError("no connection became free") from error
    except DBAPIError as error:
        if is_away(error):
            raise StoreAwayError("the database cannot be had") from error
        raise
