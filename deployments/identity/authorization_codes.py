"""The service of authorization codes that several requests may present at once; each is exchanged once."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from domain import idempotency
from domain.clock import Clock
from domain.idempotency import KeyClaim
from domain.identity.code_answer_repository import CodeAnswerRepository
from domain.unit_of_work import Store


class AuthorizationCodeService:
    """Codes by their hashes.

    Args:
        kept_for: how long it is known that a code was exchanged.
    """

    def __init__(self, store: Store, clock: Clock, kept_for: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._kept_for = kept_for

    def claim(self, code_hash: str) -> KeyClaim:
        """Claim a code before it is exchanged."""
        return self._store.written(
            lambda connection: idempotency.claim_key(connection, code_hash, code_hash, self._clock(), self._kept_for)
        )

    def release(self, code_hash: str) -> None:
        """Give up a claim: the code was not exchanged."""
        self._store.written(lambda connection: idempotency.free_key(connection, code_hash))

    def keep_answer(self, code_hash: str, answer: str, expires_at: datetime) -> None:
        """Store that a code was exchanged, and the answer until it expires.

        Args:
            answer: sealed with the code itself.
        """

        def keep(connection: Connection) -> None:
            CodeAnswerRepository(connection).keep(code_hash, answer, expires_at, self._clock())
            # Known for longer than the answer: the provider would take a code that comes again for a stolen one.
            idempotency.keep_answer(connection, code_hash, "")

        self._store.written(keep)

    def answer(self, code_hash: str) -> str | None:
        """The stored answer, unless it has expired."""
        with self._store.reading() as connection:
            return CodeAnswerRepository(connection).answer(code_hash, self._clock())
