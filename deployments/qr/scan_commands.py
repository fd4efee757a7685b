"""Sends scans to the door and awaits its decisions."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol
from uuid import UUID

import msgspec
import structlog

from deployments.http.door_replies import no_answer
from deployments.http.ports import PaymentsClient, Replies
from deployments.http.problems import retryable
from deployments.payments.orders import OrderService
from domain.door.model import CheckPayment, OfflineScan, ScanRequest
from domain.ids import new_id
from integrations.kafka.messages import DoorCommand, DoorReply, OfflineScanCommand, ScanCommand
from integrations.metrics import PASS_READINGS
from integrations.metrics_registry import MetricsRegistry

_check_payment = msgspec.json.Decoder(CheckPayment)
_log = structlog.get_logger(__name__)


class Producer(Protocol):
    """Puts commands on the topic `door-commands`."""

    def produce(self, commands: Sequence[tuple[UUID, DoorCommand]], /) -> list[bool]:
        """Enqueue commands, each with its gym's id; for each whether it was accepted."""


class ScanCommands:
    """Produces one command for each scan and awaits its reply. For one event loop.

    Args:
        replies: receives the door's replies.
        producer: puts commands on Kafka.
        payments: is asked when a payment could lift a refusal.
        metrics: counts the scanned passes by their status.
    """

    def __init__(
        self, replies: Replies, producer: Producer, payments: PaymentsClient, metrics: MetricsRegistry
    ) -> None:
        self._replies = replies
        self._producer = producer
        self._payments = payments
        self._readings = metrics.counter(PASS_READINGS)
        self._deciding: set[asyncio.Task[DoorReply]] = set()

    async def decide(self, scan: ScanRequest, until: float) -> DoorReply:
        """The door's reply to a scan.

        The scan is decided even when the caller is cancelled: a client that disconnects does not lose its scan.

        Args:
            scan: with the reading of its pass.
            until: when to give up, by the event loop's clock.

        Raises:
            ApiProblem: `no_answer_in_time`, or `unavailable` when the command could not be produced.
        """
        self._readings.add(1, scan.reading.status.value)
        deciding = asyncio.get_running_loop().create_task(self._decide(scan, until))
        self._deciding.add(deciding)
        deciding.add_done_callback(self._decided)
        return await asyncio.shield(deciding)

    async def record(self, offline: OfflineScan, until: float) -> DoorReply:
        """The door's reply to a scan that a device made while it was offline.

        Args:
            offline: with the reading of its pass.
            until: when to give up, by the event loop's clock.

        Raises:
            ApiProblem: as of `decide`.
        """
        self._readings.add(1, offline.scan.reading.status.value)
        command = OfflineScanCommand(command_id=new_id(), reply_to=self._replies.reply_to, offline=offline)
        return await self._send(command, offline.gym_id, until)

    async def _decide(self, scan: ScanRequest, until: float) -> DoorReply:
        reply = await self._send_scan(scan, until)
        if reply.kind != "check_payment":
            return reply
        await self._settle_payments(_check_payment.decode(reply.body).member_id, until)
        # The answer to a scan whose payments were checked is final.
        return await self._send_scan(replace(scan, payment_checked=True), until)

    def _decided(self, task: asyncio.Task[DoorReply]) -> None:
        self._deciding.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not log it when the caller is gone

    async def _send_scan(self, scan: ScanRequest, until: float) -> DoorReply:
        command = ScanCommand(command_id=new_id(), reply_to=self._replies.reply_to, scan=scan)
        return await self._send(command, scan.gym_id, until)

    async def _send(self, command: ScanCommand | OfflineScanCommand, gym_id: UUID, until: float) -> DoorReply:
        # Registered first: the reply may arrive before `produce` returns.
        reply = self._replies.expect(command.command_id)
        try:
            if not self._producer.produce([(gym_id, command)])[0]:
                raise retryable(
                    "unavailable",
                    "The scan could not be handed on. Repeat it with the same scan_id, or annul it.",
                )
            async with asyncio.timeout_at(until):
                return await reply
        except TimeoutError:
            raise no_answer() from None
        finally:
            self._replies.forget(command.command_id)

    async def _settle_payments(self, member_id: UUID, until: float) -> None:
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(now + (until - now) / 2):  # the other half is for the door
                await self._payments(OrderService.settle_member, member_id)
        except Exception as error:  # noqa: BLE001 - the door then decides by what it knows
            _log.warning("payments_not_settled", error=type(error).__name__)
