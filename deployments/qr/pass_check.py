"""Says what each scanned pass is, and sends the scan on to its gym. Decides nothing, waits for no decision."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import structlog

from deployments.qr.questions import ScanQuestion, decode_questions, encode_produced
from domain.door.model import OfflineScan
from integrations.kafka.messages import DoorCommand, OfflineScanCommand, ScanCommand
from integrations.pass_keys import PassVerifier

_log = structlog.get_logger(__name__)


class Commands(Protocol):
    """Where commands for the door go."""

    def produce(self, commands: Sequence[tuple[UUID, DoorCommand]], /) -> list[bool]:
        """Send commands, each by its gym's id; for each whether it was accepted."""


class PassCheck:
    """Reads the passes of a batch of scans and produces one command for each."""

    def __init__(self, verifier: PassVerifier, commands: Commands) -> None:
        self._verifier = verifier
        self._commands = commands

    def check(self, batch: bytes) -> bytes:
        """Answer `encode_questions(...)` with one flag for each question, see `decode_produced`."""
        return encode_produced([self._sent(question) for question in decode_questions(batch)])

    def _sent(self, question: ScanQuestion | None) -> bool:
        if question is None:
            return False
        try:
            command = self._command(question)
        except Exception:  # noqa: BLE001 - the other questions of the batch are of other doors
            _log.exception("pass_not_read", command_id=str(question.command_id))
            return False
        return self._commands.produce([(question.gym_id, command)])[0]

    def _command(self, question: ScanQuestion) -> DoorCommand:
        # As of its arrival: a pass must not go stale in our own queues.
        reading = self._verifier.read(question.code, question.arrived_at)
        scan = question.with_reading(reading)
        if question.offline:
            recorded = OfflineScan(scan)
            return OfflineScanCommand(command_id=question.command_id, reply_to=question.reply_to, offline=recorded)
        return ScanCommand(command_id=question.command_id, reply_to=question.reply_to, scan=scan)
