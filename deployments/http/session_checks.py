"""Checks that the sessions behind tokens are active, from a cache that is confirmed every few seconds."""

import asyncio
from time import monotonic
from uuid import UUID

import structlog

from deployments.http.background_tasks import BackgroundTask, repeating
from deployments.http.confirmed_cache import ConfirmedCache
from deployments.http.ports import IdentityClient
from deployments.http.problems import ApiProblem, unauthenticated
from deployments.http.refusals import raise_on_refusal
from deployments.identity.sessions import SessionService
from deployments.identity.sign_in import SignInService
from domain.identity.model import Caller, Client, IdentityProblem, IdentityRefusal, SessionState

_TOLD_EVERY_S = 60.0
_ROOM = 10_000
_log = structlog.get_logger(__name__)


class Sessions:
    """The sessions that a replica has seen.

    Args:
        cache: their states.
        identity: creates the row of a new session, and stores which sessions were used.
        denied_for: how long a refused session stays refused without another query, in seconds.
    """

    def __init__(
        self, cache: ConfirmedCache[SessionState], identity: IdentityClient, *, denied_for: float = 2.0
    ) -> None:
        self._cache = cache
        self._identity = identity
        self._denied_for = denied_for
        self._denied: dict[UUID, tuple[float, IdentityRefusal]] = {}
        self._beginning: dict[UUID, asyncio.Lock] = {}
        self._used: set[UUID] = set()
        self._telling = BackgroundTask("sessions", repeating(self._tell, _TOLD_EVERY_S))

    @property
    def dead(self) -> list[str]:
        """See `Part`."""
        return [*self._cache.dead, *self._telling.dead]

    def start(self) -> None:
        """Start confirming; requires a running event loop."""
        self._cache.start()
        self._telling.start()

    async def close(self) -> None:
        """Stop, and store which sessions were used last."""
        await self._cache.close()
        await self._telling.close()
        await self._tell()

    def remembered(self, caller: Caller) -> SessionState | None:
        """The cached state of a token's session, without waiting."""
        state = self._cache.remembered(caller.session_id)
        if state is None or state.user_id != caller.user_id:
            return None
        self._used.add(caller.session_id)
        return state

    async def state(self, caller: Caller, client: Client) -> SessionState:
        """The state of a token's session. An unknown session begins here.

        Raises:
            ApiProblem: the session has ended, its user must not sign in, or it cannot be checked.
        """
        session_id = caller.session_id
        state = await self._cache.get(session_id)
        if state is None:
            lock = self._beginning.setdefault(session_id, asyncio.Lock())
            try:
                async with lock:  # of many requests with a new token one makes its row
                    state = self._cache.remembered(session_id) or await self._begin(caller, client)
            finally:
                if not lock.locked():
                    self._beginning.pop(session_id, None)
        if state.user_id != caller.user_id:
            raise _over()
        self._used.add(session_id)
        return state

    async def _begin(self, caller: Caller, client: Client) -> SessionState:
        session_id = caller.session_id
        until, refusal = self._denied.get(session_id, (0.0, None))
        if refusal is None or monotonic() >= until:
            known = await self._identity(SignInService.know_caller, caller, client)
            refusal = known if isinstance(known, IdentityRefusal) else None
        if refusal is not None:
            self._deny(session_id, refusal)
            if refusal.problem is IdentityProblem.SESSION_OVER:
                raise _over()
            raise_on_refusal(refusal)
        self._cache.forget(session_id)
        state = await self._cache.get(session_id)
        if state is None:  # ended in this very moment
            raise _over()
        return state

    def _deny(self, session_id: UUID, refusal: IdentityRefusal) -> None:
        if len(self._denied) >= _ROOM:
            self._denied.clear()
        self._denied[session_id] = monotonic() + self._denied_for, refusal

    async def _tell(self) -> None:
        used, self._used = self._used, set()
        if not used:
            return
        try:
            await self._identity(SessionService.mark_used, list(used))
        except ApiProblem as error:
            # Only the time of the last use is lost.
            _log.warning("sessions_not_told", error=error.code)


def _over() -> ApiProblem:
    return unauthenticated("The session of this token has ended. Sign in again.", error=True)
