"""Calls that a client may repeat: what was answered first is kept for a time, sealed by whoever answers.

Keys and codes are here as hashes only; what is answered can be opened by who holds the key itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select, update

from domain.tables import code_answers, idempotency_keys

UNDER_WAY_FOR = timedelta(seconds=60)  # a replica that died while it answered does not hold a key for ever
_SWEPT_AT_ONCE = 200


class KeyState(StrEnum):
    """What is known of a key."""

    NEW = "new"
    RUNNING = "running"
    OTHER_REQUEST = "other_request"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """The state of a key, and what was answered where something was."""

    state: KeyState
    status: int | None = None
    answer: str | None = None


def claim_key(connection: Connection, key: str, request_hash: str, now: datetime, kept_for: timedelta) -> KeyClaim:
    """Take a key for a call, or learn what became of the one that has it.

    Raises:
        sqlalchemy.exc.DBAPIError: another one was first: roll back and claim again.
    """
    row = connection.execute(
        select(idempotency_keys).where(idempotency_keys.c.key == key).with_for_update()
    ).one_or_none()
    lifetime = UNDER_WAY_FOR if row is not None and row.status is None else kept_for
    if row is not None and now - row.created_at <= lifetime:
        if row.request_hash != request_hash:
            return KeyClaim(KeyState.OTHER_REQUEST)
        if row.status is None:
            return KeyClaim(KeyState.RUNNING)
        return KeyClaim(KeyState.ANSWERED, row.status, row.answer)
    if row is not None:
        free_key(connection, key)
    connection.execute(insert(idempotency_keys).values(key=key, request_hash=request_hash, created_at=now))
    _sweep_keys(connection, now - kept_for)
    return KeyClaim(KeyState.NEW)


def keep_answer(connection: Connection, key: str, status: int, answer: str) -> None:
    """Keep what was answered to the call that has the key."""
    connection.execute(
        update(idempotency_keys).where(idempotency_keys.c.key == key).values(status=status, answer=answer)
    )


def free_key(connection: Connection, key: str) -> None:
    """Give a key back: nothing was done."""
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.key == key))


def keep_code_answer(connection: Connection, code_hash: str, answer: str, expires_at: datetime, now: datetime) -> None:
    """Keep what was answered to an authorization code, and remove what has expired."""
    old = list(
        connection.execute(
            select(code_answers.c.code_hash).where(code_answers.c.expires_at <= now).limit(_SWEPT_AT_ONCE)
        ).scalars()
    )
    connection.execute(delete(code_answers).where(code_answers.c.code_hash.in_([*old, code_hash])))
    connection.execute(insert(code_answers).values(code_hash=code_hash, answer=answer, expires_at=expires_at))


def code_answer(connection: Connection, code_hash: str, now: datetime) -> str | None:
    """What was answered to a code, as long as that is kept."""
    answer: str | None = connection.execute(
        select(code_answers.c.answer).where(code_answers.c.code_hash == code_hash, code_answers.c.expires_at > now)
    ).scalar_one_or_none()
    return answer


def _sweep_keys(connection: Connection, before: datetime) -> None:
    old = list(
        connection.execute(
            select(idempotency_keys.c.key).where(idempotency_keys.c.created_at < before).limit(_SWEPT_AT_ONCE)
        ).scalars()
    )
    if old:
        connection.execute(delete(idempotency_keys).where(idempotency_keys.c.key.in_(old)))
