"""Records scans that a device made while it could not reach the server."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import structlog

from deployments.http.auth import Principal
from deployments.http.confirmed_cache import ConfirmedCache
from deployments.http.door_replies import answer_bytes, check_replies
from deployments.http.ports import Replies
from deployments.http.problems import ApiProblem, Fault, retryable
from deployments.http.rate_limits import RateLimit
from deployments.qr.scan_bodies import InvalidElement, NewOfflineScan
from deployments.qr.scan_commands import ScanCommands
from deployments.qr.scan_schemas import UploadedScan, UploadStatus
from deployments.qr.scan_service import Verifier, checked_gate, own_gym
from domain.clock import Clock
from domain.door.model import Direction, OfflineAnswer, OfflineScan, ScanRequest
from domain.gyms.model import Gate

# Few at a time, so that an upload does not delay members who stand at a gate.
_AT_ONCE = 16
# An upload may take as long as several scans.
_DEADLINES = 3
_LONGEST_DETAIL = 200
_answers = msgspec.json.Decoder(OfflineAnswer)
_REFUSED = {status.value for status in UploadStatus}
_log = structlog.get_logger(__name__)

Element = NewOfflineScan | InvalidElement


class OfflineUploads:
    """Sends the scans of uploads to the door. They are facts: none is refused for what it says.

    Args:
        gates: the gates, cached.
        verifier: reads passes.
        commands: sends scans to the door.
        replies: receives the door's replies.
        rate: uploaded scans of one device, apart from the rate of its live scans: no member waits because the device
            is uploading.
        deadline_s: of one scan, in seconds.
        clock: the present.
    """

    def __init__(
        self,
        *,
        gates: ConfirmedCache[Gate],
        verifier: Verifier,
        commands: ScanCommands,
        replies: Replies,
        rate: RateLimit,
        deadline_s: float,
        clock: Clock,
    ) -> None:
        self._gates = gates
        self._verifier = verifier
        self._commands = commands
        self._replies = replies
        self._rate = rate
        self._within_s = _DEADLINES * deadline_s
        self._clock = clock

    async def record(self, principal: Principal, elements: Sequence[Element]) -> list[UploadedScan]:
        """Record the scans of one upload.

        Args:
            principal: the device, or staff.
            elements: as `read_upload` returns them.

        Returns:
            What became of each element, in their order.

        Raises:
            ApiProblem: `invalid_request` when no element can be read, `too_many_scans`, or `unavailable`.
        """
        _raise_if_all_are_invalid(elements)
        if wait_s := self._rate.take(principal.id, len(elements)):
            raise retryable("too_many_scans", "This device uploads scans faster than allowed.", seconds=int(wait_s) + 1)
        check_replies(self._replies)
        until = asyncio.get_running_loop().time() + self._within_s
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(element: Element) -> UploadedScan:
            async with turn:
                return await self._uploaded(principal, element, until)

        return await asyncio.gather(*(one(element) for element in elements))

    async def _uploaded(self, principal: Principal, element: Element, until: float) -> UploadedScan:
        if isinstance(element, InvalidElement):
            detail = f"{element.fault.field or 'scan'}: {element.fault.detail}"[:_LONGEST_DETAIL]
            return UploadedScan(scan_id=element.scan_id, status=UploadStatus.INVALID, detail=detail)
        try:
            return await self._recorded(principal, element, until)
        except ApiProblem as problem:
            # A command that was sent is in Kafka, and will be recorded.
            status = UploadStatus.QUEUED if problem.code == "no_answer_in_time" else UploadStatus.NOT_TAKEN
            if problem.code in _REFUSED:
                status = UploadStatus(problem.code)
            return UploadedScan(scan_id=element.scan_id, status=status, detail=problem.detail)
        except Exception:  # noqa: BLE001 - a failure of one element must not lose the answers of the others
            _log.exception("upload_element_failed", scan_id=element.scan_id)
            detail = "Internal error. Send the scan again with the same scan_id."
            return UploadedScan(scan_id=element.scan_id, status=UploadStatus.NOT_TAKEN, detail=detail)

    async def _recorded(self, principal: Principal, scan: NewOfflineScan, until: float) -> UploadedScan:
        found = self._gates.remembered(scan.gate_id) or await self._gates.get(scan.gate_id)
        gate = checked_gate(found, own_gym(principal))
        left_s = until - asyncio.get_running_loop().time()
        if left_s <= 0:
            raise retryable("busy", "The upload takes too long; send the rest again.")
        now = self._clock()
        request = ScanRequest(
            scan_id=scan.scan_id,
            asked_by=principal.id,
            gym_id=gate.gym_id,
            gate_id=gate.id,
            direction=Direction(scan.direction),
            reading=self._verifier.read(scan.code, now),
            arrived_at=now,
            decide_by=now + timedelta(seconds=left_s),
            scanned_at=scan.scanned_at,
        )
        reply = await self._commands.record(OfflineScan(request), until)
        answer = _answers.decode(answer_bytes(reply, "offline_answer"))
        return UploadedScan(
            scan_id=scan.scan_id,
            status=UploadStatus.RECORDED,
            conflict=answer.conflict,
            occurred_at=answer.occurred_at,
            replayed=answer.replayed,
        )


def _raise_if_all_are_invalid(elements: Sequence[Element]) -> None:
    faults = [
        Fault(f"scans.{number}.{one.fault.field}".rstrip("."), one.fault.detail)
        for number, one in enumerate(elements)
        if isinstance(one, InvalidElement)
    ]
    if len(faults) == len(elements):
        raise ApiProblem("invalid_request", "No scan of the upload can be read. Nothing was recorded.", faults=faults)
