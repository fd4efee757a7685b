"""Checks whether every part that a scan needs is ready, and the state of the other parts."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

Probe = Callable[[], Awaitable[bool]]

_TIMEOUT_S = 2.0
_OPTIONAL_TIMEOUT_S = 0.5  # an optional part must not delay the answer


@dataclass(frozen=True, slots=True)
class PartState:
    """The state of a part and the duration of its check. Scans need every part that is `required`."""

    ok: bool
    latency_ms: float
    required: bool = True


class Readiness:
    """Checks all parts at once.

    Concurrent callers share one check: the call is public, and nobody may keep the parts busy with it.

    Args:
        required: the parts that a scan needs.
        shown: optional parts, which are shown and do not count.
    """

    def __init__(self, required: Mapping[str, Probe], shown: Mapping[str, Probe] | None = None) -> None:
        self._required = dict(required)
        self._shown = dict(shown or {})
        self._running: asyncio.Task[dict[str, PartState]] | None = None

    async def check(self) -> dict[str, PartState]:
        """The state of every part, by name."""
        if self._running is None or self._running.done():
            # In a context of its own: Ray Serve cancels calls together with the request that made them.
            self._running = asyncio.get_running_loop().create_task(self._check(), context=contextvars.Context())
        return await asyncio.shield(self._running)

    async def _check(self) -> dict[str, PartState]:
        states = await asyncio.gather(
            *(_probe(probe, _TIMEOUT_S, required=True) for probe in self._required.values()),
            *(_probe(probe, _OPTIONAL_TIMEOUT_S, required=False) for probe in self._shown.values()),
        )
        return dict(zip([*self._required, *self._shown], states, strict=True))


async def _probe(probe: Probe, timeout_s: float, *, required: bool) -> PartState:
    began = perf_counter()
    try:
        async with asyncio.timeout(timeout_s):
            ok = await probe()
    except Exception:  # noqa: BLE001 - any failure means that the part is not ready
        ok = False
    return PartState(ok, round((perf_counter() - began) * 1000, 3), required)
