"""Idempotency keys: claimed in the unit of work of their effect, with the answer for repeated calls.

Keys are stored as hashes. The caller seals answers with the client's key, so they cannot be read from the database.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Column, Connection, Table, Text, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from domain.column_types import Id, Instant, code
from domain.metadata import metadata
from domain.unit_of_work import is_locked

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", code(64), primary_key=True),
    Column("request_hash", code(64), nullable=False),
    Column("subject_id", Id),  # the row of a call that needs another system before it can answer
    Column("held_until", Instant),  # until then an attempt is running; null: none is
    Column("answer", Text),  # sealed; null: no answer yet
    Column("created_at", Instant, nullable=False, index=True),
)


# Longer than an attempt usually takes; the key of a dead replica becomes free after it. Two attempts at once are safe,
# because they continue with the same row, under the same key of the other system.
HELD_FOR = timedelta(seconds=60)
_SWEPT_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request that its client may repeat.

    Args:
        key: hash of the client's key, the caller and the called resource.
        request_hash: hash of the whole request; the same key with another request is refused.
        secret: the client's key, which opens the stored answer.
        purpose: caller and called resource; the secret opens no answer to another call.
    """

    key: str
    request_hash: str
    secret: str = field(repr=False)
    purpose: str


class KeyState(StrEnum):
    """States of a key."""

    NEW = "new"
    RUNNING = "running"
    UNFINISHED = "unfinished"
    OTHER_REQUEST = "other_request"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """The state of a key.

    Args:
        state: with `UNFINISHED` an attempt has ended without an answer, and the caller continues it.
        subject_id: with `UNFINISHED`: the row that the first attempt has written.
        answer: with `ANSWERED`: the sealed answer.
    """

    state: KeyState
    subject_id: UUID | None = None
    answer: str | None = None


def claim_key(connection: Connection, key: str, request_hash: str, now: datetime, kept_for: timedelta) -> KeyClaim:
    """Claim a key in the unit of work of its effect, or return the state of the call that has it.

    A key that another unit of work has claimed and not committed is `RUNNING`; this call does not wait for its lock.

    Raises:
        sqlalchemy.exc.DBAPIError: another call was first: roll back and claim again.
    """
    try:
        row = connection.execute(
            select(idempotency_keys).where(idempotency_keys.c.key == key).with_for_update(nowait=True)
        ).one_or_none()
    except DBAPIError as error:
        if is_locked(error):
            return KeyClaim(KeyState.RUNNING)
        raise
    if row is not None and now - row.created_at <= kept_for:
        if row.request_hash != request_hash:
            return KeyClaim(KeyState.OTHER_REQUEST)
        if row.answer is not None:
            return KeyClaim(KeyState.ANSWERED, answer=row.answer)
        if row.held_until is not None and now < row.held_until:
            return KeyClaim(KeyState.RUNNING)
        if row.subject_id is not None:
            _change(connection, key, held_until=now + HELD_FOR)
            return KeyClaim(KeyState.UNFINISHED, subject_id=row.subject_id)
    if row is not None:
        free_key(connection, key)
    connection.execute(
        insert(idempotency_keys).values(key=key, request_hash=request_hash, created_at=now, held_until=now + HELD_FOR)
    )
    _sweep(connection, now - kept_for)
    return KeyClaim(KeyState.NEW)


def is_known(connection: Connection, key: str) -> bool:
    """Whether a call that has committed has the key."""
    return connection.execute(select(idempotency_keys.c.key).where(idempotency_keys.c.key == key)).first() is not None


def set_subject(connection: Connection, key: str, subject_id: UUID) -> None:
    """Store the row that the call has written, so that a repeated call continues with it."""
    _change(connection, key, subject_id=subject_id)


def keep_answer(connection: Connection, key: str, answer: str) -> None:
    """Store the sealed answer to the call that has the key."""
    _change(connection, key, answer=answer, held_until=None)


def end_attempt(connection: Connection, key: str) -> None:
    """End an attempt without an answer: the next call with the key continues at once."""
    _change(connection, key, held_until=None)


def free_key(connection: Connection, key: str) -> None:
    """Delete a key of a call without effect."""
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.key == key))


def _change(connection: Connection, key: str, **values: object) -> None:
    connection.execute(update(idempotency_keys).where(idempotency_keys.c.key == key).values(**values))


def _sweep(connection: Connection, before: datetime) -> None:
    # Skips locked rows, because their transactions may stay open for long.
    query = select(idempotency_keys.c.key).where(idempotency_keys.c.created_at < before).limit(_SWEPT_AT_ONCE)
    old = list(connection.execute(query.with_for_update(skip_locked=True)).scalars())
    if old:
        connection.execute(delete(idempotency_keys).where(idempotency_keys.c.key.in_(old)))
