"""One scan's question and answer: sent through Qr, answered by Kafka, within the deadline."""

import asyncio
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

import msgspec
import structlog

from deployments.http.ports import AskPayments, Replies
from deployments.http.problems import ApiProblem, later
from deployments.payments.orders import OrderService
from deployments.qr.deadlines import Deadlines
from deployments.qr.questions import ScanQuestion
from deployments.qr.scan_batching import ScanBatching, Waiter
from domain.door.model import CheckPayment
from domain.ids import new_id
from integrations.kafka.messages import DoorReply

_check_payment = msgspec.json.Decoder(CheckPayment)
_log = structlog.get_logger(__name__)


class ScanExchange:
    """Puts scans to the door and waits for what it says.

    Args:
        replies: where answers arrive.
        batching: the way there.
        payments: who is asked when a payment could mend a refusal.
    """

    def __init__(self, replies: Replies, batching: ScanBatching, payments: AskPayments) -> None:
        self._replies = replies
        self._batching = batching
        self._payments = payments
        self._deadlines: Deadlines[DoorReply] = Deadlines(no_answer)
        self._running: set[asyncio.Task[DoorReply]] = set()

    async def ask(self, question: ScanQuestion, until: float) -> DoorReply:
        """The door's reply.

        The exchange goes on when whoever asked is gone: a client that disconnects does not lose its scan.

        Args:
            question: with a command id of its own.
            until: when to give up, by the event loop's clock.

        Raises:
            ApiProblem: `no_answer_in_time`, `busy` or `unavailable`.
        """
        # Expected before it is sent: a reply that overtakes the call must find somebody waiting.
        waiter = self._replies.expect(question.command_id)
        try:
            self._batching.put(question, waiter)
            self._deadlines.watch(until, waiter)
            reply = await asyncio.shield(waiter)
        except asyncio.CancelledError:
            self._in_background(self._concluded(question, waiter, until))
            raise
        except ApiProblem:
            self._replies.forget(question.command_id)
            raise
        self._replies.forget(question.command_id)
        if reply.kind == "check_payment" and not question.payment_checked:
            return await asyncio.shield(self._in_background(self._again(question, reply, until)))
        return reply

    def _in_background(self, work: Coroutine[Any, Any, DoorReply]) -> asyncio.Task[DoorReply]:
        """Work that goes on when whoever asked is gone; a task for each scan would cost more than the rest of this."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[DoorReply]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even when nobody waits any longer

    async def _concluded(self, question: ScanQuestion, waiter: Waiter, until: float) -> DoorReply:
        try:
            reply = await waiter
        finally:
            self._replies.forget(question.command_id)
        again = reply.kind == "check_payment" and not question.payment_checked
        return await self._again(question, reply, until) if again else reply

    async def _again(self, question: ScanQuestion, reply: DoorReply, until: float) -> DoorReply:
        """The same scan once more, which is final, when the payment side was asked."""
        await self._settle(_check_payment.decode(reply.body).member_id, until)
        question = msgspec.structs.replace(question, command_id=new_id(), payment_checked=True)
        return await self.ask(question, until)

    async def _settle(self, member_id: UUID, until: float) -> None:
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(now + (until - now) / 2):  # the other half is the door's
                await self._payments(OrderService.settle_member, member_id)
        except Exception as error:  # noqa: BLE001 - the door then decides by what it knows
            _log.warning("payments_not_settled", error=type(error).__name__)


def no_answer() -> ApiProblem:
    """Nobody knows yet what was decided; past the deadline nothing will be."""
    return later(
        "no_answer_in_time",
        "There was no decision by the deadline. Repeat the scan with the same scan_id, or annul it.",
    )
