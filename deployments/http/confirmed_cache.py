"""A cache of database rows that checks every few seconds whether all of them are still current."""

import asyncio
import contextvars
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic, TypeVar
from uuid import UUID

import structlog

from deployments.http.background_tasks import BackgroundTask, repeating
from deployments.http.problems import ApiProblem, retryable

V = TypeVar("V")
Load = Callable[[Collection[UUID]], Awaitable[Mapping[UUID, V]]]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Freshness:
    """Lifetimes of cached rows, in seconds.

    Args:
        refresh_every: interval of the confirmation of all rows.
        trust_for: a row that was not confirmed for so long is not used, because it may have been revoked.
        deny_for: lifetime of an unknown id.
        forget_after: rows that nobody used for so long are dropped.
    """

    refresh_every: float = 2.0
    trust_for: float = 5.0
    deny_for: float = 2.0
    forget_after: float = 600.0


USUAL = Freshness()


@dataclass(slots=True)
class _Entry(Generic[V]):
    value: V
    confirmed: float
    used: float


class ConfirmedCache(Generic[V]):
    """Rows by id, confirmed in one query before they expire.

    Only one query for unknown ids runs at a time, so guessing ids costs the database almost nothing. For one event
    loop.

    Args:
        load: reads the existing rows of some ids.
        room: maximum number of rows; the least recently used is dropped first.
        room_for_unknown: maximum number of unknown ids, cached separately.
        room_for_questions: maximum number of waiting ids; ids that were cached before are always accepted.
        clock: monotonic clock, in seconds.
    """

    def __init__(
        self,
        load: Load[V],
        *,
        freshness: Freshness = USUAL,
        room: int = 10_000,
        room_for_unknown: int = 2_000,
        room_for_questions: int = 256,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._load = load
        self._freshness = freshness
        self._room = room
        self._room_for_unknown = room_for_unknown
        self._room_for_questions = room_for_questions
        self._clock = clock
        self._entries: OrderedDict[UUID, _Entry[V]] = OrderedDict()  # the least recently used first
        self._unknown: OrderedDict[UUID, float] = OrderedDict()  # when each was found not to exist, the oldest first
        self._pending: dict[UUID, asyncio.Future[V | None]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._refreshing = BackgroundTask("cache", repeating(self._refresh_if_it_can, freshness.refresh_every))

    @property
    def dead(self) -> list[str]:
        """See `Part`."""
        return self._refreshing.dead

    def start(self) -> None:
        """Start confirming; requires a running event loop."""
        self._refreshing.start()

    async def close(self) -> None:
        """Stop confirming."""
        await self._refreshing.close()
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    def remembered(self, key: UUID) -> V | None:
        """The cached row, if it is still valid; None otherwise. Does not wait."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = self._clock()
        if now - entry.confirmed > self._freshness.trust_for:
            return None
        entry.used = now
        self._entries.move_to_end(key)
        return entry.value

    def is_denied(self, key: UUID) -> bool:
        """Whether the id is cached as unknown; `get` then makes no query."""
        found_at = self._unknown.get(key)
        return found_at is not None and self._clock() - found_at < self._freshness.deny_for

    async def get(self, key: UUID) -> V | None:
        """The row of an id, None if there is none.

        Raises:
            ApiProblem: `unavailable` if it cannot be read, `busy` if too many ids wait.
        """
        known = self.remembered(key)
        if known is not None:
            return known
        if self.is_denied(key):
            return None
        answer = self._pending.get(key)
        if answer is None:
            if len(self._pending) >= self._room_for_questions and key not in self._entries:
                raise retryable("busy", "Too many credentials are being looked up.")
            answer = asyncio.get_running_loop().create_future()
            self._pending[key] = answer
        if self._asking is None or self._asking.done():
            # A context of its own: Serve would end the question together with the request that put it.
            self._asking = asyncio.get_running_loop().create_task(self._ask(), context=contextvars.Context())
        return await asyncio.shield(answer)  # shared: one caller that leaves must not end it for the others

    def forget(self, key: UUID) -> None:
        """Drop a row that is known to be outdated."""
        self._entries.pop(key, None)
        self._unknown.pop(key, None)

    async def refresh(self) -> None:
        """Read all cached rows again, in one query."""
        now = self._clock()
        for key in [key for key, entry in self._entries.items() if now - entry.used >= self._freshness.forget_after]:
            del self._entries[key]
        for key in [key for key, at in self._unknown.items() if now - at >= self._freshness.deny_for]:
            del self._unknown[key]
        if self._entries:
            keys = list(self._entries)
            self._keep(keys, await self._load(keys), now)

    async def _refresh_if_it_can(self) -> None:
        try:
            await self.refresh()
        except Exception as error:  # noqa: BLE001 - tried again at the same pace; meanwhile entries lose their trust
            _log.warning("cache_not_refreshed", error=type(error).__name__)

    async def _ask(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, {}
            now = self._clock()
            try:
                found = await self._load(list(batch))
            except BaseException as error:  # handed to those who asked, a cancelled call too
                for answer in batch.values():
                    if not answer.done():
                        answer.set_exception(_as_problem(error))
                        answer.exception()  # those who asked may all be gone
                if not isinstance(error, Exception):
                    raise
                continue
            self._keep(batch, found, now)
            for key, answer in batch.items():
                if not answer.done():
                    answer.set_result(found.get(key))

    def _keep(self, keys: Collection[UUID], found: Mapping[UUID, V], now: float) -> None:
        # Confirmed as of the moment of asking: an answer may have been overtaken on its way.
        for key in keys:
            before = self._entries.get(key)
            if before and before.confirmed > now:
                continue
            value = found.get(key)
            if value is None:
                self._entries.pop(key, None)
                self._unknown[key] = now
                self._unknown.move_to_end(key)
            else:
                self._unknown.pop(key, None)
                self._entries[key] = _Entry(value, now, before.used if before else now)
        _shrink(self._entries, self._room)
        _shrink(self._unknown, self._room_for_unknown)


def _shrink(remembered: OrderedDict[UUID, Any], room: int) -> None:
    while len(remembered) > room:
        remembered.popitem(last=False)


def _as_problem(error: BaseException) -> ApiProblem:
    return (
        error
        if isinstance(error, ApiProblem)
        else retryable("unavailable", "What is needed to check this cannot be read.")
    )
