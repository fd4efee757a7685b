"""What was answered to an authorization code: kept for a minute, sealed with the code itself."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from domain.identity.tables import code_answers

_SWEPT_AT_ONCE = 200


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
