"""The clients that watch streams: limits of their number, and regular checks that they may still watch."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from deployments.http.auth import Authenticator, Principal, UserPrincipal, require_right
from deployments.http.background_tasks import BackgroundTask, repeating
from deployments.http.problems import ApiProblem, retryable
from deployments.http.rights import Right
from deployments.live.server_sent_events import End
from deployments.live.stream import Stream, View
from domain.identity.model import Client
from integrations.tokens import TokenRefusal, TokenRefusedError

_AT_ONCE = 100  # fewer than may wait for the cache that knows of sessions
_UNAUTHENTICATED, _FORBIDDEN = 401, 403
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Watcher:
    """One credential and all streams that were opened with it."""

    client: Client
    streams: set[Stream] = field(default_factory=set)


def view_of(principal: Principal) -> View:
    """Only staff see names; a device sees what members see."""
    return View.STAFF if isinstance(principal, UserPrincipal) and principal.is_staff else View.MEMBER


class Watchers:
    """Confirms each credential with open streams every few seconds. For one event loop.

    Args:
        authenticator: authenticates.
        right: of the live view.
        most: maximum number of streams per user or device in this replica.
        every_s: interval of the confirmation; a session is trusted for five seconds.
    """

    def __init__(self, authenticator: Authenticator, right: Right, *, most: int, every_s: float = 2.0) -> None:
        self._authenticator = authenticator
        self._right = right
        self._most = most
        self._watchers: dict[str, _Watcher] = {}
        self._open: Counter[UUID] = Counter()
        self._confirming = BackgroundTask("watchers", repeating(self._confirm_if_it_can, every_s))

    @property
    def dead(self) -> list[str]:
        """See `Part`."""
        return self._confirming.dead

    def start(self) -> None:
        """Start confirming; requires a running event loop."""
        self._confirming.start()

    async def close(self) -> None:
        """Stop."""
        await self._confirming.close()

    def take_place(self, principal: Principal) -> None:
        """Count a new stream; `give_place` releases it.

        Raises:
            ApiProblem: `too_many_requests`.
        """
        if self._open[principal.id] >= self._most:
            raise retryable("too_many_requests", f"There are {self._most} streams open already. Close one.", seconds=5)
        self._open[principal.id] += 1

    def give_place(self, principal: Principal) -> None:
        """A stream was closed."""
        self._open[principal.id] -= 1
        if not self._open[principal.id]:
            del self._open[principal.id]

    def add(self, authorization: str, client: Client, stream: Stream) -> None:
        """Confirm a stream from now on."""
        self._watchers.setdefault(authorization, _Watcher(client)).streams.add(stream)

    def remove(self, authorization: str, stream: Stream) -> None:
        """Stop confirming a stream."""
        watcher = self._watchers.get(authorization)
        if watcher is not None:
            watcher.streams.discard(stream)
            if not watcher.streams:
                del self._watchers[authorization]

    async def confirm(self) -> None:
        """Check all credentials, and end the streams of invalid ones."""
        shown = list(self._watchers)
        for start in range(0, len(shown), _AT_ONCE):
            await asyncio.gather(*(self._confirm(one) for one in shown[start : start + _AT_ONCE]))

    async def _confirm(self, authorization: str) -> None:
        watcher = self._watchers.get(authorization)
        if watcher is None:
            return
        try:
            principal = self._authenticator.recognised(authorization) or await self._authenticator.identify(
                authorization, watcher.client
            )
            require_right(principal, self._right)
        except ApiProblem as problem:
            # Whether it is good cannot be found out now: nothing new can be read now either, so the streams may wait.
            if problem.status in {_UNAUTHENTICATED, _FORBIDDEN}:
                _end(watcher, _why(problem))
            return
        view = view_of(principal)
        for stream in watcher.streams:
            if stream.view is not view:
                stream.end(End.RIGHTS_CHANGED)

    async def _confirm_if_it_can(self) -> None:
        try:
            await self.confirm()
        except Exception:  # noqa: BLE001 - tried again at the same pace: nobody watches on who may not
            _log.exception("streams_not_confirmed")


def _end(watcher: _Watcher, reason: End) -> None:
    for stream in watcher.streams:
        stream.end(reason)


def _why(problem: ApiProblem) -> End:
    if problem.code == "forbidden":
        return End.RIGHTS_CHANGED
    refused = problem.__cause__
    expired = isinstance(refused, TokenRefusedError) and refused.reason is TokenRefusal.EXPIRED
    return End.EXPIRED if expired else End.REVOKED
