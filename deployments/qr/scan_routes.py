"""The calls about scans: looking one up, annulling one, uploading those that a device made while it was offline.

`POST /scans` is a direct endpoint, see `ScanService.scan`; `scan_openapi` describes it.
"""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path, Request, Response

from deployments.gym.door_records import DoorRecordService
from deployments.http.auth import DevicePrincipal, UserPrincipal
from deployments.http.dependencies import CurrentPrincipal
from deployments.http.door_replies import ask_door
from deployments.http.problems import ApiProblem, Fault, declared
from deployments.http.route_guard import guarded_router
from deployments.qr.dependencies import OfScans, ScanDependencies
from deployments.qr.scan_bodies import read_upload
from deployments.qr.scan_openapi import UPLOAD_BODY
from deployments.qr.scan_schemas import AnnulAnswerDocument, NewAnnulment, ScanDocument, UploadDocument
from domain.door.list_model import Ambiguous
from domain.door.model import AnnulRequest
from domain.door.state import StoredScan
from domain.ids import new_id
from integrations.kafka.messages import AnnulCommand

ScanId = Annotated[str, Path(pattern="^[!-~]{1,64}$", description="The client's own; for staff also the row's.")]


def router() -> APIRouter:
    """The routes."""
    routes = guarded_router("door")

    @routes.get("/scans/{scan_id:path}", summary="Get a scan", responses=declared("unknown_scan", "ambiguous_scan_id"))
    async def scan(scan_id: ScanId, principal: CurrentPrincipal, scans: OfScans) -> ScanDocument:
        """Get the answer to a scan. A device sees only its own scans, staff see all."""
        return ScanDocument.of(_found(await _look_up(scans, principal, scan_id)))

    @routes.post(
        "/scans/{scan_id:path}/annul",
        summary="Annul a scan",
        response_model=AnnulAnswerDocument,
        responses=declared(
            "unknown_scan",
            "unknown_gate",
            "unknown_gym",
            "ambiguous_scan_id",
            "annul_window_over",
            "no_answer_in_time",
            "not_decided",
        ),
    )
    async def annul(
        scan_id: ScanId, principal: CurrentPrincipal, scans: OfScans, why: Annotated[NewAnnulment | None, Body()] = None
    ) -> Response:
        """Annul a scan: its effects are undone. Idempotent.

        If the scan has not arrived yet, it is refused when it arrives.
        """
        now = scans.clock()
        annulment = why or NewAnnulment()
        if isinstance(principal, DevicePrincipal):
            scan_id_, asked_by, gym_id = scan_id, principal.id, principal.gym_id
        else:
            scan_id_, asked_by, gym_id = await _named_by_staff(scans, principal, scan_id, annulment)
        request = AnnulRequest(
            scan_id=scan_id_,
            asked_by=asked_by,
            gym_id=gym_id,
            by=principal.id,
            by_staff=isinstance(principal, UserPrincipal),
            reason=annulment.reason,
            arrived_at=now,
            decide_by=now + timedelta(seconds=scans.deadline_s),
        )
        command = AnnulCommand(command_id=new_id(), reply_to=scans.replies.reply_to, annul=request)
        annulled = await ask_door(scans, command, gym_id, request.decide_by, "annul_answer")
        return Response(annulled, media_type="application/json")

    @routes.post(
        "/scans/offline",
        summary="Upload offline scans",
        status_code=202,
        responses=declared("unavailable", "too_many_scans"),
        openapi_extra=UPLOAD_BODY,
    )
    async def upload(request: Request, principal: CurrentPrincipal, scans: OfScans) -> UploadDocument:
        """Record scans that a device made while it was offline, in any order. Idempotent.

        Each scan has already happened, so none is refused. A scan that contradicts the others is listed in
        `GET /gyms/{id}/conflicts`. An invalid element has the status `invalid`, and the others are recorded. If all are
        invalid, the answer is 422. Each element counts towards the rate limit of its device.
        """
        elements = read_upload(await request.body())
        return UploadDocument(items=await scans.uploads.record(principal, elements))

    return routes


async def _look_up(scans: ScanDependencies, principal: CurrentPrincipal, scan_id: str) -> StoredScan | Ambiguous | None:
    if isinstance(principal, DevicePrincipal):
        return await scans.gym(DoorRecordService.scan_of, principal.id, scan_id)
    return await scans.gym(DoorRecordService.scan_for_staff, principal.id, scan_id)


def _found(scan: StoredScan | Ambiguous | None) -> StoredScan:
    if isinstance(scan, Ambiguous):
        raise ApiProblem("ambiguous_scan_id", "Several clients used this scan id. Use the `id` of the scan instead.")
    if scan is None:
        raise ApiProblem("unknown_scan", "No scan with this id was decided.")
    return scan


async def _named_by_staff(
    scans: ScanDependencies, principal: UserPrincipal, scan_id: str, annulment: NewAnnulment
) -> tuple[str, UUID, UUID]:
    """The scan's own id, who scanned, and the gym."""
    if not annulment.reason:
        raise ApiProblem(
            "invalid_request", "Staff must give a reason to annul a scan.", faults=[Fault("reason", "is missing")]
        )
    kept = await _look_up(scans, principal, scan_id)
    if kept is None and annulment.gate_id is not None:
        gate = await scans.gates.get(annulment.gate_id)
        if gate is None:
            raise ApiProblem("unknown_gate", "There is no gate with this gate_id.")
        return scan_id, principal.id, gate.gym_id
    scan = _found(kept)
    return scan.answer.scan_id, scan.asked_by, scan.answer.gym_id
