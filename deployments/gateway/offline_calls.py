"""Uploads of a door device that was cut off from the server."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
from fastapi import APIRouter
from pydantic import ValidationError

from deployments.gateway.callers import Asker, DeviceAsker
from deployments.gateway.door_answers import answer_bytes
from deployments.gateway.guard import guarded_router
from deployments.gateway.parts import OfParts, Parts, WhoeverAsks
from deployments.gateway.problems import ApiProblem, declared, later
from deployments.gateway.record_documents import (
    NewOfflineScan,
    OfflineUpload,
    PassKey,
    PassKeysDocument,
    UploadDocument,
    UploadedScan,
    UploadStatus,
)
from deployments.qr.questions import ScanQuestion
from domain.door.model import Direction, OfflineAnswer
from domain.ids import new_id
from domain.passes import GOOD_AFTER, GOOD_BEFORE

# So few at a time that an upload does not crowd out those who stand at a gate.
_AT_ONCE = 16
# An upload waits for as long as several scans may.
_PATIENCE = 3
_decoder = msgspec.json.Decoder(OfflineAnswer)
_REFUSED = {status.value for status in UploadStatus}


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
            most_admitted=parts.settings.door.most_admitted_offline,
        )

    @routes.post("/scans/offline", status_code=202, responses=declared("unavailable"))
    async def upload(wanted: OfflineUpload, asker: WhoeverAsks, parts: OfParts) -> UploadDocument:
        """Record scans that were made without the server: in any order, repeated, partly known.

        They are facts. None is refused for what it says; one that does not fit is listed in `GET /gyms/{id}/conflicts`.
        """
        if not parts.replies.ready:
            raise later("unavailable", "Answers from the door cannot be received yet.")
        within_s = _PATIENCE * parts.settings.door.deadline_s
        until = asyncio.get_running_loop().time() + within_s
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(scan: Any) -> UploadedScan:  # noqa: ANN401 - whatever the device has kept
            async with turn:
                return await _upload(parts, asker, scan, until)

        return UploadDocument(items=await asyncio.gather(*(one(scan) for scan in wanted.scans)))

    return routes


async def _upload(parts: Parts, asker: Asker, raw: Any, until: float) -> UploadedScan:  # noqa: ANN401 - as above
    try:
        scan = NewOfflineScan.model_validate(raw)
    except ValidationError as error:
        said = raw.get("scan_id") if isinstance(raw, dict) else None
        first = error.errors(include_url=False)[0]
        detail = f"{'.'.join(str(part) for part in first['loc']) or 'scan'}: {first['msg']}"
        # A lone surrogate cannot be written into the answer.
        scan_id = said if isinstance(said, str) and said.isprintable() else None
        return UploadedScan(scan_id=scan_id, status=UploadStatus.INVALID, detail=detail[:200])
    try:
        return await _recorded(parts, asker, scan, until)
    except ApiProblem as problem:
        # What was sent is in the door's queue, and will be recorded.
        status = UploadStatus.QUEUED if problem.code == "no_answer_in_time" else UploadStatus.NOT_TAKEN
        if problem.code in _REFUSED:
            status = UploadStatus(problem.code)
        return UploadedScan(scan_id=scan.scan_id, status=status, detail=problem.detail)


async def _recorded(parts: Parts, asker: Asker, scan: NewOfflineScan, until: float) -> UploadedScan:
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
