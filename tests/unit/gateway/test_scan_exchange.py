"""One scan's question and answer."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from deployments.http.problems import ApiProblem
from deployments.qr.questions import ScanQuestion
from deployments.qr.scan_batching import ScanBatching
from deployments.qr.scan_exchange import ScanExchange
from domain.door.model import CheckPayment
from domain.ids import new_id
from integrations.kafka.messages import DoorReply, reply
from tests.unit.gateway.rig import StandInReplies, eventually, question, settled

pytestmark = pytest.mark.anyio


def answer(asked: ScanQuestion) -> DoorReply:
    return DoorReply(command_id=asked.command_id, kind="scan_answer", body=msgspec.Raw(b"{}"))


class Way:
    """A way to the door whose calls end at once, or when they may."""

    def __init__(self, replies: StandInReplies, *, reply_first: bool = False, held: bool = False) -> None:
        self.replies = replies
        self.reply_first = reply_first
        self.may_end = asyncio.Event()
        if not held:
            self.may_end.set()
        self.asked: list[ScanQuestion] = []

    async def __call__(self, questions: Sequence[ScanQuestion]) -> Sequence[bool]:
        self.asked += questions
        if self.reply_first:
            for one in questions:
                self.replies.give(answer(one))
        await self.may_end.wait()
        return [True] * len(questions)


class NoPayments:
    """There is nothing to bring up to date."""

    async def __call__(self, *_asked: Any, **_named: Any) -> Any:  # noqa: ANN401 - whatever is asked
        return None

    async def once(self, *_asked: Any, **_named: Any) -> Any:  # noqa: ANN401 - whatever is asked
        return None


no_payments = NoPayments()


def exchange(replies: StandInReplies, way: Way) -> ScanExchange:
    batching = ScanBatching(way, calls_in_flight=1, batch_max=8, call_timeout_s=30)
    return ScanExchange(replies, batching, no_payments)


def until(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_a_reply_that_overtakes_the_call_is_taken() -> None:
    replies = StandInReplies()
    one = question()
    way = Way(replies, reply_first=True, held=True)
    assert await exchange(replies, way).ask(one, until(30)) == answer(one)
    assert not replies.waiting


async def test_a_reply_after_the_call_is_waited_for() -> None:
    replies = StandInReplies()
    one = question()
    asking = asyncio.create_task(exchange(replies, Way(replies)).ask(one, until(1)))
    await settled(20)
    assert not asking.done()
    replies.give(answer(one))
    assert await asking == answer(one)


async def test_the_deadline_ends_the_wait_even_in_the_waiting_room() -> None:
    replies = StandInReplies()
    way = Way(replies, held=True)
    desk = exchange(replies, way)
    first = asyncio.create_task(desk.ask(question("first"), until(30)))
    await settled()
    with pytest.raises(ApiProblem) as problem:
        await desk.ask(question("waiting"), until(0.1))
    assert problem.value.code == "no_answer_in_time"
    way.may_end.set()
    last = asyncio.create_task(desk.ask(question("last"), until(30)))
    await eventually(lambda: len(way.asked) > 1)
    assert [one.code for one in way.asked] == ["first", "last"]
    for one in way.asked:
        replies.give(answer(one))
    await asyncio.gather(first, last)


async def test_a_late_reply_harms_nobody() -> None:
    replies = StandInReplies()
    one = question()
    asking = asyncio.create_task(exchange(replies, Way(replies)).ask(one, until(0.5)))
    await settled()
    waiter = replies.waiting[one.command_id]
    with pytest.raises(ApiProblem):
        await asking
    assert waiter.done()
    replies.give(answer(one))


async def test_whoever_leaves_does_not_take_their_scan_with_them() -> None:
    replies = StandInReplies()
    way = Way(replies, held=True)
    desk = exchange(replies, way)
    first = asyncio.create_task(desk.ask(question("first"), until(30)))
    left = asyncio.create_task(desk.ask(question("left"), until(30)))
    await settled()
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    way.may_end.set()
    await eventually(lambda: len(way.asked) > 1)
    assert [one.code for one in way.asked] == ["first", "left"]
    for one in way.asked:
        replies.give(answer(one))
    assert (await first).kind == "scan_answer"
    await settled()
    assert not replies.waiting


async def test_a_scan_whose_client_left_is_asked_again_when_the_payment_was_looked_at() -> None:
    replies = StandInReplies()
    way = Way(replies)
    one = question()
    asking = asyncio.create_task(exchange(replies, way).ask(one, until(30)))
    await settled(20)
    asking.cancel()
    await settled()
    replies.give(reply(one.command_id, CheckPayment(scan_id=one.scan_id, member_id=new_id())))
    await eventually(lambda: len(way.asked) > 1)
    assert [asked.payment_checked for asked in way.asked] == [False, True]
    replies.give(answer(way.asked[1]))
    await settled()
    assert not replies.waiting


async def test_a_scan_that_is_turned_away_at_once_leaves_nothing_behind() -> None:
    replies = StandInReplies()
    way = Way(replies, held=True)
    batching = ScanBatching(way, calls_in_flight=1, batch_max=1, call_timeout_s=1)
    desk = ScanExchange(replies, batching, no_payments)
    asking = [asyncio.create_task(desk.ask(question(), until(0.2))) for _ in range(20)]
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert {error.code for error in ended if isinstance(error, ApiProblem)} == {"busy", "no_answer_in_time"}
    assert not replies.waiting
