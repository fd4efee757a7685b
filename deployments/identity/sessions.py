"""The service of sessions. It never calls the identity provider, so it has threads of its own (decision 0010)."""

from collections.abc import Collection
from uuid import UUID

from domain.clock import Clock
from domain.identity.model import IdentityProblem, IdentityRefusal, Session, SessionState
from domain.identity.session_repository import SessionRepository
from domain.paging import Page, PageRequest
from domain.unit_of_work import Store

_UNKNOWN_SESSION = IdentityRefusal(IdentityProblem.UNKNOWN_SESSION, "You have no such session.")


class SessionService:
    """Sessions. Every replica of the gateway confirms its sessions here every few seconds."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def states(self, session_ids: Collection[UUID]) -> dict[UUID, SessionState]:
        """The state of those sessions whose tokens are still valid."""
        with self._store.reading() as connection:
            return SessionRepository(connection).states(session_ids)

    def mark_used(self, session_ids: Collection[UUID]) -> None:
        """Store that sessions were used a moment ago."""
        self._store.written(lambda connection: SessionRepository(connection).used(session_ids, self._clock()))

    def sessions(self, user_id: UUID, request: PageRequest) -> Page[Session]:
        """The sessions of a user that have not ended, newest first."""
        with self._store.reading() as connection:
            return SessionRepository(connection).living(user_id, request)

    def end(self, user_id: UUID, session_id: UUID) -> IdentityRefusal | None:
        """End a session of a user. All its tokens are refused from now on, refreshed ones too."""
        ended = self._store.written(
            lambda connection: SessionRepository(connection).end(user_id, session_id, self._clock())
        )
        return None if ended else _UNKNOWN_SESSION
