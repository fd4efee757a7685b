"""Whether every part that a scan needs can do its work now, and how others do without which doors go on."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

Probe = Callable[[], Awaitable[bool]]

_WITHIN_S = 2.0
_SHOWN_WITHIN_S = 0.5  # who asks whether doors work must not wait for what they do without


@dataclass(frozen=True, slots=True)
class PartState:
    """What a part said, and how long it took. Without a part that is not `required` doors go on."""

    ok: bool
    latency_ms: float
    required: bool = True


class Readiness:
    """Asks all parts at once: none for longer than two seconds, those that are only shown for half a second.

    Whoever asks meanwhile is told what the question under way finds out: anybody may ask, and
    must not be able to keep the parts busy.

    Args:
        required: the parts that a scan needs.
        shown: parts that are told of and do not count.
    """

    def __init__(self, required: Mapping[str, Probe], shown: Mapping[str, Probe] | None = None) -> None:
        self._required = dict(required)
        self._shown = dict(shown or {})
        self._asking: asyncio.Task[dict[str, PartState]] | None = None

    async def look(self) -> dict[str, PartState]:
        """The state of every part."""
        if self._asking is None or self._asking.done():
            # A context of its own: Serve would end the questions together with the request that put them.
            self._asking = asyncio.get_running_loop().create_task(self._ask(), context=contextvars.Context())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> dict[str, PartState]:
        states = await asyncio.gather(
            *(_probe(probe, _WITHIN_S, required=True) for probe in self._required.values()),
            *(_probe(probe, _SHOWN_WITHIN_S, required=False) for probe in self._shown.values()),
        )
        return dict(zip([*self._required, *self._shown], states, strict=True))


async def _probe(probe: Probe, within_s: float, *, required: bool) -> PartState:
    began = perf_counter()
    try:
        async with asyncio.timeout(within_s):
            ok = await probe()
    except Exception:  # noqa: BLE001 - whatever it is, the part is not ready
        ok = False
    return PartState(ok, round((perf_counter() - began) * 1000, 3), required)
