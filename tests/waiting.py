"""Waiting for a condition that another thread, process or server makes true.

The limits are for what hangs: nothing that works comes near them.
"""

import asyncio
import time
from collections.abc import Callable

WITHIN_S = 120.0


def wait_until(
    condition: Callable[[], bool],
    within_s: float = WITHIN_S,
    explain: Callable[[], object] = lambda: "timed out",
    every_s: float = 0.05,
) -> None:
    """Wait for a condition.

    Args:
        condition: evaluated again and again.
        within_s: after so many seconds the test fails.
        explain: the message of that failure.
        every_s: seconds between two evaluations.
    """
    give_up_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up_at, explain()
        time.sleep(every_s)


async def eventually(condition: Callable[[], bool], within_s: float = WITHIN_S, every_s: float = 0.01) -> None:
    """Wait for a condition while the event loop runs; see `wait_until`."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - changes of other threads and processes have no event here
            await asyncio.sleep(every_s)
