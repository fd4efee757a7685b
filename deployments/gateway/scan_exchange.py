"""One scan's question and answer: sent through Qr, answered by Kafka, within the deadline."""

import asyncio
from uuid import UUID

import msgspec
import structlog

from deployments.gateway.ports import Payments, Replies
from deployments.gateway.problems import ApiProblem, later
from deployments.gateway.scan_batching import ScanBatching, Waiter
from deployments.qr.questions import ScanQuestion
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

    def __init__(self, replies: Replies, batching: ScanBatching, payments: Payments) -> None:
        self._replies = replies
        self._batching = batching
        self._payments = payments
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
        exchange = asyncio.get_running_loop().create_task(self._exchange(question, until))
        self._running.add(exchange)
        exchange.add_done_callback(self._ended)
        return await asyncio.shield(exchange)

    def _ended(self, exchange: asyncio.Task[DoorReply]) -> None:
        self._running.discard(exchange)
        if not exchange.cancelled():
            exchange.exception()  # seen, even when nobody waits any longer

    async def _exchange(self, question: ScanQuestion, until: float) -> DoorReply:
        reply = await self._once(question, until)
        if reply.kind != "check_payment":
            return reply
        await self._settle(_check_payment.decode(reply.body).member_id, until)
        return await self._once(msgspec.structs.replace(question, command_id=new_id(), payment_checked=True), until)

    async def _settle(self, member_id: UUID, until: float) -> None:
        left = until - asyncio.get_running_loop().time()
        try:
            await self._payments.settle(member_id, left / 2)  # the other half is the door's
        except Exception as error:  # noqa: BLE001 - the door then decides by what it knows
            _log.warning("payments_not_settled", error=type(error).__name__)

    async def _once(self, question: ScanQuestion, until: float) -> DoorReply:
        # Expected before it is sent: a reply that overtakes the call must find somebody waiting.
        waiter = self._replies.expect(question.command_id)
        deadline = asyncio.get_running_loop().call_at(until, _give_up, waiter)
        try:
            self._batching.put(question, waiter)
            return await waiter
        finally:
            deadline.cancel()
            self._replies.forget(question.command_id)


def no_answer() -> ApiProblem:
    """Nobody knows yet what was decided; past the deadline nothing will be."""
    return later(
        "no_answer_in_time",
        "There was no decision by the deadline. Repeat the scan with the same scan_id, or annul it.",
    )


def _give_up(waiter: Waiter) -> None:
    if not waiter.done():
        waiter.set_exception(no_answer())
