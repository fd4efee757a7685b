"""Natural batching: at once while little is under way, together otherwise, never without bounds."""

import asyncio
from collections.abc import Sequence

import pytest

from deployments.http.problems import ApiProblem
from deployments.qr.questions import ScanQuestion
from deployments.qr.scan_batching import ScanBatching, Waiter
from tests.unit.gateway.rig import question, settled

pytestmark = pytest.mark.anyio


class Calls:
    """Calls that end when they are told to."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open: list[asyncio.Future[list[bool]]] = []

    async def __call__(self, questions: Sequence[ScanQuestion]) -> Sequence[bool]:
        self.batches.append([one.code for one in questions])
        call: asyncio.Future[list[bool]] = asyncio.get_running_loop().create_future()
        self.open.append(call)
        return await call

    def end(self, *produced: str) -> None:
        self.open.pop(0).set_result([one == "yes" for one in produced])

    def fail(self, error: BaseException) -> None:
        self.open.pop(0).set_exception(error)


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def batching(calls: Calls) -> ScanBatching:
    return ScanBatching(calls, calls_in_flight=2, batch_max=3, call_timeout_s=0.2)


def put(batching: ScanBatching, code: str) -> Waiter:
    waiter: Waiter = asyncio.get_running_loop().create_future()
    batching.put(question(code), waiter)
    return waiter


async def test_a_lone_scan_leaves_at_once(calls: Calls, batching: ScanBatching) -> None:
    put(batching, "a")
    await settled(1)
    assert calls.batches == [["a"]]


async def test_what_gathers_while_calls_are_under_way_goes_as_one(calls: Calls, batching: ScanBatching) -> None:
    for code in ("a", "b"):
        put(batching, code)
        await settled()
    for code in ("c", "d"):
        put(batching, code)
        await settled()
    assert calls.batches == [["a"], ["b"]]
    calls.end("yes")
    await settled()
    assert calls.batches == [["a"], ["b"], ["c", "d"]]


async def test_a_call_takes_no_more_than_its_bound(calls: Calls, batching: ScanBatching) -> None:
    for code in "abcdefgh":
        put(batching, code)
    await settled()
    assert calls.batches == [["a", "b", "c"], ["d", "e", "f"]]
    calls.end("yes", "yes", "yes")
    await settled()
    assert calls.batches[2:] == [["g", "h"]]


async def test_more_than_the_waiting_room_holds_is_refused(calls: Calls, batching: ScanBatching) -> None:
    for number in range(48):
        put(batching, str(number))
    with pytest.raises(ApiProblem) as problem:
        put(batching, "one too many")
    assert (problem.value.code, problem.value.status) == ("busy", 503)
    await settled()
    put(batching, "there is room again")
    assert len(calls.batches) == 2


async def test_a_scan_given_up_meanwhile_is_not_sent(calls: Calls, batching: ScanBatching) -> None:
    put(batching, "a")
    put(batching, "b")
    await settled()
    put(batching, "c")
    await settled()
    waiting = put(batching, "late")
    put(batching, "d")
    waiting.cancel()
    calls.end("yes", "yes")
    await settled()
    assert "late" not in [code for batch in calls.batches for code in batch]


async def test_only_what_was_not_produced_is_told_so(calls: Calls, batching: ScanBatching) -> None:
    produced, not_produced = put(batching, "a"), put(batching, "b")
    await settled()
    calls.end("yes", "no")
    await settled()
    assert not produced.done()
    assert isinstance(not_produced.exception(), ApiProblem)


@pytest.mark.parametrize("error", [ConnectionError(), asyncio.CancelledError()])
async def test_a_failed_call_is_told_at_once_and_the_next_goes_on(
    calls: Calls, batching: ScanBatching, error: BaseException
) -> None:
    waiters = [put(batching, code) for code in "ab"]
    await settled()
    if isinstance(error, asyncio.CancelledError):
        calls.open.pop(0).cancel()
    else:
        calls.fail(error)
    await settled()
    assert {type(waiter.exception()) for waiter in waiters} == {ApiProblem}
    put(batching, "c")
    await settled()
    assert calls.batches[-1] == ["c"]


async def test_a_call_that_never_ends_is_given_up(calls: Calls, batching: ScanBatching) -> None:
    waiters = [put(batching, code) for code in "abcdef"]
    await settled()
    put(batching, "g")
    await asyncio.wait(waiters)
    await settled()
    assert all(isinstance(waiter.exception(), ApiProblem) for waiter in waiters)
    assert calls.batches[-1] == ["g"]


async def test_flags_of_another_number_are_a_failed_call(calls: Calls, batching: ScanBatching) -> None:
    waiter = put(batching, "a")
    await settled()
    calls.end("yes", "yes")
    await settled()
    assert isinstance(waiter.exception(), ApiProblem)


async def test_a_scan_put_just_as_the_last_call_ends_is_sent(calls: Calls) -> None:
    batching = ScanBatching(calls, calls_in_flight=1, batch_max=3, call_timeout_s=1)
    put(batching, "a")
    await settled()
    calls.end("yes")
    for number in range(10):
        await asyncio.sleep(0)
        put(batching, str(number))
        await settled(number % 3)
        while calls.open:
            calls.end(*["yes"] * len(calls.batches[-1]))
    await settled()
    while calls.open:
        calls.end(*["yes"] * len(calls.batches[-1]))
        await settled()
    assert sorted(code for batch in calls.batches for code in batch) == sorted(["a", *map(str, range(10))])
