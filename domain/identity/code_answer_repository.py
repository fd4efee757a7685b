"""Answers to authorization codes in the database: kept for a minute, sealed with the code itself."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from domain.identity.tables import code_answers

_SWEPT_AT_ONCE = 200


class CodeAnswerRepository:
    """Reads and writes answers in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def keep(self, code_hash: str, answer: str, expires_at: datetime, now: datetime) -> None:
        """Store the answer to a code, and delete expired ones."""
        expired = select(code_answers.c.code_hash).where(code_answers.c.expires_at <= now).limit(_SWEPT_AT_ONCE)
        old = list(self._connection.execute(expired).scalars())
        self._connection.execute(delete(code_answers).where(code_answers.c.code_hash.in_([*old, code_hash])))
        self._connection.execute(insert(code_answers).values(code_hash=code_hash, answer=answer, expires_at=expires_at))

    def answer(self, code_hash: str, now: datetime) -> str | None:
        """The answer to a code, unless it has expired."""
        query = select(code_answers.c.answer).where(
            code_answers.c.code_hash == code_hash, code_answers.c.expires_at > now
        )
        answer: str | None = self._connection.execute(query).scalar_one_or_none()
        return answer
