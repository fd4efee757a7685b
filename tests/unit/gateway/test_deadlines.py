"""When waiting ends."""

import asyncio

import pytest

from deployments.qr.deadlines import Deadlines

pytestmark = pytest.mark.anyio


class OverError(Exception):
    pass


def wait_for(deadlines: Deadlines[str], seconds: float) -> asyncio.Future[str]:
    loop = asyncio.get_running_loop()
    wait: asyncio.Future[str] = loop.create_future()
    deadlines.watch(loop.time() + seconds, wait)
    return wait


async def test_each_wait_ends_at_its_own_deadline_whatever_their_order() -> None:
    deadlines: Deadlines[str] = Deadlines(OverError)
    late, early, past = (wait_for(deadlines, seconds) for seconds in (0.4, 0.1, -1))
    began = asyncio.get_running_loop().time()
    for wait, before in ((past, 0.1), (early, 0.3), (late, 1.0)):
        with pytest.raises(OverError):
            await wait
        assert asyncio.get_running_loop().time() - began < before
    assert asyncio.get_running_loop().time() - began > 0.35


async def test_a_wait_that_was_answered_is_left_alone() -> None:
    deadlines: Deadlines[str] = Deadlines(OverError)
    answered, given_up = wait_for(deadlines, 0.05), wait_for(deadlines, 0.05)
    answered.set_result("yes")
    given_up.cancel()
    other = wait_for(deadlines, 0.1)
    with pytest.raises(OverError):
        await other
    assert answered.result() == "yes"
    assert given_up.cancelled()


async def test_after_all_have_ended_another_wait_still_ends() -> None:
    deadlines: Deadlines[str] = Deadlines(OverError)
    for _ in range(2):
        with pytest.raises(OverError):
            await wait_for(deadlines, 0.02)
        await asyncio.sleep(0.02)
