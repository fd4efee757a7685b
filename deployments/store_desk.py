"""What every desk that answers from the database shares: units of work, and a plain word while it is away."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

from deployments.keyed_call import KeyedAnswer, KeyedCall, KeyRefusedError
from domain.clock import Clock, system_clock
from domain.idempotency import IdempotentRequest, KeyState, free_key, let_go, set_subject
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

    keys_kept_for = timedelta(hours=24)  # how long a repeated call gets the first answer

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

    def once(
        self, request: IdempotentRequest, method: str, args: tuple[Any, ...], named: dict[str, Any]
    ) -> KeyedAnswer[Any] | KeyState:
        """A method of this desk that takes a `call`, under an idempotency key.

        Returns:
            Its answer, or why the key cannot be used: `RUNNING`, `OTHER_REQUEST`, `ANSWERED` (and not readable).
        """
        call = KeyedCall(request, self._clock(), self.keys_kept_for)
        try:
            value = getattr(self, method)(*args, **named, call=call)
        except KeyRefusedError as refused:
            return refused.state
        return KeyedAnswer(value, call.replayed)

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

    def _written_once(self, call: KeyedCall | None, kind: type[object], use_case: Callable[[Connection], T]) -> T:
        """A use case in one unit of work with the key of its call: both are committed, or neither.

        Args:
            call: None: there is no key.
            kind: of an answer that is stored; any other is a refusal, which frees the key.
            use_case: see there.

        Raises:
            KeyRefusedError: the key cannot be used.
        """
        if call is None:
            return self._written(use_case)

        def claimed(connection: Connection) -> T:
            claim = call.claim(connection)
            if claim.state is KeyState.ANSWERED:
                stored: T = call.first_answer(claim, kind)
                return stored
            answer = use_case(connection)
            call.end(connection, answer, kind)
            return answer

        return self._written(claimed)

    def _carried_out_once(
        self,
        call: KeyedCall | None,
        kind: type[object],
        begin: Callable[[Connection], UUID | T],
        carry_out: Callable[[UUID], T],
    ) -> T:
        """An effect of which another system does a part: its row is written with the key, then it is carried out.

        No transaction is open meanwhile. An attempt that ends without an answer is continued by the next call with
        the same key, so `carry_out` is safe to repeat: it asks the other system under a key made of the row's id.

        Args:
            call, kind: as of `_written_once`.
            begin: writes the row.
            carry_out: continues with it; its refusal frees the key.

        Raises:
            KeyRefusedError: the key cannot be used.
        """
        if call is None:
            row = self._written(begin)
            return carry_out(row) if isinstance(row, UUID) else row

        def claimed(connection: Connection) -> UUID | T:
            claim = call.claim(connection)
            if claim.state is KeyState.ANSWERED:
                stored: T = call.first_answer(claim, kind)
                return stored
            if claim.subject_id is not None:
                return claim.subject_id
            begun = begin(connection)
            if isinstance(begun, UUID):
                set_subject(connection, call.key, begun)
            else:
                free_key(connection, call.key)
            return begun

        begun = self._written(claimed)
        if not isinstance(begun, UUID):
            return begun
        try:
            answer = carry_out(begun)
        except BaseException:
            with suppress(StoreAwayError):  # its hold ends by itself
                self._written(lambda connection: let_go(connection, call.key))
            raise
        self._written(lambda connection: call.end(connection, answer, kind))
        return answer


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
