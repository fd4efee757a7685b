"""Uploads of a door device that was cut off from the server."""

import asyncio
from datetime import timedelta

import msgspec
import structlog
from fastapi import APIRouter, Request

from deployments.gateway.dependencies import OfParts, Parts
from deployments.gateway.door.offline_schemas import (
    UPLOAD_BODY,
    PassKey,
    PassKeysDocument,
    UploadDocument,
    UploadedScan,
    UploadStatus,
)
from deployments.http.auth import Asker, DeviceAsker
from deployments.http.dependencies import WhoeverAsks
from deployments.http.door_replies import answer_bytes
from deployments.http.problems import ApiProblem, Fault, declared, later
from deployments.http.route_guard import guarded_router
from deployments.qr.questions import ScanQuestion
from deployments.qr.scan_bodies import OfflineScanBody, UnfitElement, read_upload
from domain.door.model import Direction, OfflineAnswer
from domain.ids import new_id
from domain.passes import GOOD_AFTER, GOOD_BEFORE

# So few at a time that an upload does not crowd out those who stand at a gate.
_AT_ONCE = 16
# An upload waits for as long as several scans may.
_PATIENCE = 3
_LONGEST_DETAIL = 200
_decoder = msgspec.json.Decoder(OfflineAnswer)
_REFUSED = {status.value for status in UploadStatus}
_log = structlog.get_logger(__name__)


def router() -> APIRouter:
    """The calls of a device that prepares to be cut off, and of one that is back."""
    routes = guarded_router("door")

    @routes.get("/pass-keys")
    async def pass_keys(parts: OfParts) -> PassKeysDocument:
        """What a door keeps at hand for the time in which it cannot reach the server. Keys rotate: ask now and then."""
        keys = await parts.qr.public_keys()
        return PassKeysDocument(
            keys=[PassKey(kid=key_id, x=key) for key_id, key in keys.items()],
            good_before_s=GOOD_BEFORE // timedelta(seconds=1),
            good_after_s=GOOD_AFTER // timedelta(seconds=1),
            most_admitted=parts.settings.door.max_offline_admissions,
        )

    @routes.post(
        "/scans/offline",
        status_code=202,
        responses=declared("unavailable", "too_many_scans"),
        openapi_extra=UPLOAD_BODY,
    )
    async def upload(request: Request, asker: WhoeverAsks, parts: OfParts) -> UploadDocument:
        """Record scans that were made without the server: in any order, repeated, partly known.

        They are facts. None is refused for what it says; one that does not fit is listed in `GET /gyms/{id}/conflicts`.
        An element that cannot be read has the status `invalid`, and the others are recorded; where none can be read,
        the answer is 422. Each element counts against the rate of its device.
        """
        elements = read_upload(await request.body())
        _raise_when_all_are_unfit(elements)
        wait_s = parts.upload_rate.take(asker.id, len(elements))
        if wait_s:
            raise later("too_many_scans", "This device uploads scans faster than allowed.", seconds=int(wait_s) + 1)
        if not parts.replies.ready:
            raise later("unavailable", "Answers from the door cannot be received yet.")
        within_s = _PATIENCE * parts.settings.door.deadline_s
        until = asyncio.get_running_loop().time() + within_s
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(element: OfflineScanBody | UnfitElement) -> UploadedScan:
            async with turn:
                return await _uploaded(parts, asker, element, until)

        return UploadDocument(items=await asyncio.gather(*(one(element) for element in elements)))

    return routes


def _raise_when_all_are_unfit(elements: list[OfflineScanBody | UnfitElement]) -> None:
    faults = [
        Fault(f"scans.{number}.{one.fault.field}".rstrip("."), one.fault.detail)
        for number, one in enumerate(elements)
        if isinstance(one, UnfitElement)
    ]
    if len(faults) == len(elements):
        raise ApiProblem("invalid_request", "No scan of the upload can be read. Nothing was recorded.", faults=faults)


async def _uploaded(parts: Parts, asker: Asker, element: OfflineScanBody | UnfitElement, until: float) -> UploadedScan:
    if isinstance(element, UnfitElement):
        detail = f"{element.fault.field or 'scan'}: {element.fault.detail}"[:_LONGEST_DETAIL]
        return UploadedScan(scan_id=element.scan_id, status=UploadStatus.INVALID, detail=detail)
    try:
        return await _recorded(parts, asker, element, until)
    except ApiProblem as problem:
        # What was sent is in the door's queue, and will be recorded.
        status = UploadStatus.QUEUED if problem.code == "no_answer_in_time" else UploadStatus.NOT_TAKEN
        if problem.code in _REFUSED:
            status = UploadStatus(problem.code)
        return UploadedScan(scan_id=element.scan_id, status=status, detail=problem.detail)
    except Exception:  # noqa: BLE001 - one element's failure must not take the answers of the others with it
        _log.exception("upload_element_failed", scan_id=element.scan_id)
        detail = "Internal error. Send the scan again with the same scan_id."
        return UploadedScan(scan_id=element.scan_id, status=UploadStatus.NOT_TAKEN, detail=detail)


async def _recorded(parts: Parts, asker: Asker, scan: OfflineScanBody, until: float) -> UploadedScan:
    gate = parts.gates.remembered(scan.gate_id) or await parts.gates.get(scan.gate_id)
    if gate is None:
        raise ApiProblem("unknown_gate", "There is no gate of this gate_id.")
    if isinstance(asker, DeviceAsker) and gate.gym_id != asker.gym_id:
        raise ApiProblem("gate_of_another_gym", "A device scans at gates of its own gym.")
    loop = asyncio.get_running_loop()
    left_s = until - loop.time()
    if left_s <= 0:
        raise later("busy", "The upload takes too long; send the rest again.")
    now = parts.clock()
    question = ScanQuestion(
        command_id=new_id(),
        reply_to=parts.replies.reply_to,
        scan_id=scan.scan_id,
        asked_by=asker.id,
        gym_id=gate.gym_id,
        gate_id=gate.id,
        direction=Direction(scan.direction),
        code=scan.code,
        arrived_at=now,
        decide_by=now + timedelta(seconds=left_s),
        scanned_at=scan.scanned_at,
        offline=True,
    )
    reply = await parts.exchange.ask(question, until)
    answer = _decoder.decode(answer_bytes(reply, "offline_answer"))
    return UploadedScan(
        scan_id=scan.scan_id,
        status=UploadStatus.RECORDED,
        conflict=answer.conflict,
        occurred_at=answer.occurred_at,
        replayed=answer.replayed,
    )
