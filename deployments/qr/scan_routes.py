"""Scans asked for again, and undone."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path, Response

from deployments.gateway.dependencies import OfParts, Parts
from deployments.gateway.door.commands import ask_door
from deployments.gateway.schemas import AnnulAnswerDocument, NewAnnulment, NewScan, ScanAnswerDocument, ScanDocument
from deployments.gym.desk import GymDesk
from deployments.http.auth import DeviceAsker, UserAsker
from deployments.http.dependencies import WhoeverAsks
from deployments.http.problems import ApiProblem, Fault, declared
from deployments.http.route_guard import guarded_router
from domain.door.model import AnnulRequest
from domain.door.queries import Ambiguous, KeptScan
from domain.ids import new_id
from integrations.kafka.messages import AnnulCommand

ScanId = Annotated[str, Path(pattern="^[!-~]{1,64}$", description="The client's own; for staff also the row's.")]


def router() -> APIRouter:
    """The calls about scans."""
    routes = guarded_router("door")

    @routes.post(
        "/scans",
        responses=declared(
            "gate_of_another_gym",
            "unknown_gate",
            "unknown_gym",
            "scan_id_reused",
            "direction_not_served",
            "too_many_scans",
            "no_answer_in_time",
            "not_decided",
        ),
    )
    async def scan(scan: NewScan) -> ScanAnswerDocument:
        """Let a member in or out. A refusal is a 200 with `outcome: refused`: the question was answered.

        After 503 `no_answer_in_time` repeat the scan with the same `scan_id` until it is answered, or annul it.
        """
        raise RuntimeError(scan)  # the shell answers before this; here for the OpenAPI document

    @routes.get("/scans/{scan_id:path}", responses=declared("unknown_scan", "ambiguous_scan_id"))
    async def kept_scan(scan_id: ScanId, asker: WhoeverAsks, parts: OfParts) -> ScanDocument:
        """What was answered to a scan. A device finds its own, staff any."""
        return ScanDocument.of(_found(await _look_up(parts, asker, scan_id)))

    @routes.post(
        "/scans/{scan_id:path}/annul",
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
        scan_id: ScanId, asker: WhoeverAsks, parts: OfParts, why: Annotated[NewAnnulment | None, Body()] = None
    ) -> Response:
        """Undo a scan as if it had not been; once more gets the same answer.

        A scan that was never seen is refused should it arrive later.
        """
        now = parts.clock()
        asked = why or NewAnnulment()
        if isinstance(asker, DeviceAsker):
            scan_id_, asked_by, gym_id = scan_id, asker.id, asker.gym_id
        else:
            scan_id_, asked_by, gym_id = await _named_by_staff(parts, asker, scan_id, asked)
        request = AnnulRequest(
            scan_id=scan_id_,
            asked_by=asked_by,
            gym_id=gym_id,
            by=asker.id,
            by_staff=isinstance(asker, UserAsker),
            reason=asked.reason,
            arrived_at=now,
            decide_by=now + timedelta(seconds=parts.settings.door.deadline_s),
        )
        command = AnnulCommand(command_id=new_id(), reply_to=parts.replies.reply_to, annul=request)
        undone = await ask_door(parts, command, gym_id, request.decide_by, "annul_answer")
        return Response(undone, media_type="application/json")

    return routes


async def _look_up(parts: Parts, asker: WhoeverAsks, scan_id: str) -> KeptScan | Ambiguous | None:
    if isinstance(asker, DeviceAsker):
        return await parts.gym(GymDesk.scan_of, asker.id, scan_id)
    return await parts.gym(GymDesk.scan_for_staff, asker.id, scan_id)


def _found(scan: KeptScan | Ambiguous | None) -> KeptScan:
    if isinstance(scan, Ambiguous):
        raise ApiProblem("ambiguous_scan_id", "Several clients used this scan id. Ask by the row's own id.")
    if scan is None:
        raise ApiProblem("unknown_scan", "No scan of this id was decided.")
    return scan


async def _named_by_staff(parts: Parts, asker: UserAsker, scan_id: str, asked: NewAnnulment) -> tuple[str, UUID, UUID]:
    if not asked.reason:
        raise ApiProblem("invalid_request", "Staff say why they annul.", faults=[Fault("reason", "is missing")])
    kept = await _look_up(parts, asker, scan_id)
    if kept is None and asked.gate_id is not None:
        gate = await parts.gates.get(asked.gate_id)
        if gate is None:
            raise ApiProblem("unknown_gate", "There is no gate of this gate_id.")
        return scan_id, asker.id, gate.gym_id
    scan = _found(kept)
    return scan.answer.scan_id, scan.asked_by, scan.answer.gym_id
