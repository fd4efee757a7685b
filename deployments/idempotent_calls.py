"""Calls under an idempotency key: the key is claimed and the answer stored in the unit of work of the effect."""

import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from domain.idempotency import (
    IdempotentRequest,
    KeyClaim,
    KeyState,
    claim_key,
    end_attempt,
    free_key,
    is_known,
    keep_answer,
    set_subject,
)
from domain.unit_of_work import Store
from integrations.answer_encryption import UnsealError, seal, unseal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IdempotentAnswer(Generic[T]):
    """The answer to a call under a key. `replayed`: an earlier call has done the work."""

    value: T
    replayed: bool


class KeyRefusedError(Exception):
    """A key cannot be used now.

    Args:
        state: `RUNNING` or `OTHER_REQUEST`; `ANSWERED`: the stored answer cannot be read.
    """

    def __init__(self, state: KeyState) -> None:
        super().__init__(state)
        self.state = state


class IdempotentCall:
    """One call under a key. After the call, `replayed` is true where the answer is that of an earlier call."""

    def __init__(self, request: IdempotentRequest, now: datetime, kept_for: timedelta) -> None:
        self._request = request
        self._now = now
        self._kept_for = kept_for
        self.replayed = False

    @property
    def key(self) -> str:
        """The hash that names the key in the database."""
        return self._request.key

    def is_known(self, connection: Connection) -> bool:
        """Whether an earlier call has claimed the key."""
        return is_known(connection, self.key)

    def claim(self, connection: Connection) -> KeyClaim:
        """Claim the key.

        Raises:
            KeyRefusedError: another request has used it, or the same request is running.
        """
        request = self._request
        self.replayed = False
        claim = claim_key(connection, request.key, request.request_hash, self._now, self._kept_for)
        if claim.state in {KeyState.RUNNING, KeyState.OTHER_REQUEST}:
            raise KeyRefusedError(claim.state)
        return claim

    def end(self, connection: Connection, answer: object, kind: type[object]) -> None:
        """Store the sealed answer; an answer of another type is a refusal and frees the key."""
        if not isinstance(answer, kind):
            free_key(connection, self.key)
            return
        plain = zlib.compress(msgspec.msgpack.encode(answer))
        keep_answer(connection, self.key, seal(plain, self._request.secret, self._request.purpose))

    def first_answer(self, claim: KeyClaim, kind: type[object]) -> Any:  # noqa: ANN401 - of that type
        """The stored answer.

        Raises:
            KeyRefusedError: it cannot be read, because another version has written it.
        """
        try:
            plain = unseal(claim.answer or "", self._request.secret, self._request.purpose)
            answer: Any = msgspec.msgpack.decode(zlib.decompress(plain), type=kind)
        except (UnsealError, zlib.error, msgspec.DecodeError) as error:
            raise KeyRefusedError(KeyState.ANSWERED) from error
        self.replayed = True
        return answer


def write_once(store: Store, call: IdempotentCall | None, kind: type[object], use_case: Callable[[Connection], T]) -> T:
    """Run a use case in one unit of work with the key of its call: both are committed, or neither.

    Args:
        call: None: the client sent no key.
        kind: the type of an answer that is stored; any other answer is a refusal, which frees the key.

    Raises:
        KeyRefusedError: the key cannot be used.
    """
    if call is None:
        return store.written(use_case)

    def claimed(connection: Connection) -> T:
        claim = call.claim(connection)
        if claim.state is KeyState.ANSWERED:
            stored: T = call.first_answer(claim, kind)
            return stored
        answer = use_case(connection)
        call.end(connection, answer, kind)
        return answer

    return store.written(claimed)


def carry_out_once(
    store: Store,
    call: IdempotentCall | None,
    kind: type[object],
    begin: Callable[[Connection], UUID | T],
    carry_out: Callable[[UUID], T],
) -> T:
    """Run an effect that needs another system: write its row together with the key, then carry it out.

    No transaction is open while the other system is called. If an attempt ends without an answer, the next call with
    the same key continues it. So `carry_out` must be safe to repeat: it calls the other system under a key that is
    made of the row's id.

    Args:
        call, kind: as of `write_once`.
        begin: writes the row; another answer than its id is a refusal.
        carry_out: does the rest; its refusal frees the key.

    Raises:
        KeyRefusedError: the key cannot be used.
    """
    if call is None:
        row = store.written(begin)
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

    begun = store.written(claimed)
    if not isinstance(begun, UUID):
        return begun
    try:
        answer = carry_out(begun)
    except BaseException:
        with suppress(SQLAlchemyError):  # otherwise the attempt ends after `HELD_FOR`
            store.written(lambda connection: end_attempt(connection, call.key))
        raise
    store.written(lambda connection: call.end(connection, answer, kind))
    return answer
