"""Whether every part that a scan needs can do its work now."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

Probe = Callable[[], Awaitable[bool]]

_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class PartState:
    """What a part said, and how long it took."""

    ok: bool
    latency_ms: float


class Readiness:
    """Asks all parts at once, none for longer than two seconds.

    Whoever asks meanwhile is told what the question under way finds out: anybody may ask, and
    must not be able to keep the parts busy.
    """

    def __init__(self, probes: Mapping[str, Probe]) -> None:
        self._probes = dict(probes)
        self._asking: asyncio.Task[dict[str, PartState]] | None = None

    async def look(self) -> dict[str, PartState]:
        """The state of every part."""
        if self._asking is None or self._asking.done():
            # A context of its own: Serve would end the questions together with the request that put them.
            self._asking = asyncio.get_running_loop().create_task(self._ask(), context=contextvars.Context())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> dict[str, PartState]:
        states = await asyncio.gather(*(_probe(probe) for probe in self._probes.values()))
        return dict(zip(self._probes, states, strict=True))


async def _probe(probe: Probe) -> PartState:
    began = perf_counter()
    try:
        async with asyncio.timeout(_WITHIN_S):
            ok = await probe()
    except Exception:  # noqa: BLE001 - whatever it is, the part is not ready
        ok = False
    return PartState(ok, round((perf_counter() - began) * 1000, 3))
