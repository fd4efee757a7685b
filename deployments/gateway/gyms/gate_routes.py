"""Gates and their devices."""

from uuid import UUID

from fastapi import APIRouter, Response

from deployments.gateway.dependencies import OfParts
from deployments.gateway.gyms.device_schemas import GymDeviceDocument
from deployments.gateway.gyms.schemas import GateChanges
from deployments.gateway.schemas import (
    CreatedDevice,
    DeviceDocument,
    GateDocument,
    NewDeviceDocument,
    NewGate,
)
from deployments.gym.devices import DeviceService
from deployments.gym.gates import GateService
from deployments.http.etags import PROBLEMS as VERSION_PROBLEMS
from deployments.http.etags import ExpectedVersion, tagged
from deployments.http.idempotency import PROBLEMS, OnceOnly
from deployments.http.paging import Asked, Listing, listing
from deployments.http.problems import declared
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router
from domain.gyms.model import Gate


def router() -> APIRouter:
    """The calls about gates and devices."""
    routes = guarded_router("gates")

    @routes.get("/gyms/{gym_id}/gates", responses=declared("unknown_gym"))
    async def gates(gym_id: UUID, parts: OfParts, asked: Asked) -> Listing[GateDocument]:
        """The gates of a gym."""
        return listing(granted(await parts.gym(GateService.gates, gym_id, asked)), GateDocument.model_validate)

    @routes.post(
        "/gyms/{gym_id}/gates",
        status_code=201,
        responses=declared("unknown_gym", "gate_name_taken", *PROBLEMS),
    )
    async def create_gate(
        gym_id: UUID, wanted: NewGate, parts: OfParts, response: Response, once: OnceOnly
    ) -> GateDocument:
        """Give a gym another gate. Its name is unique there."""
        made = await once(parts.gym, GateService.create, gym_id, wanted.name, wanted.serves)
        return _answered(granted(made), response)

    @routes.get("/gates/{gate_id}", responses=declared("unknown_gate"))
    async def gate(gate_id: UUID, parts: OfParts, response: Response) -> GateDocument:
        """One gate."""
        return _answered(granted(await parts.gym(GateService.gate, gate_id)), response)

    @routes.patch("/gates/{gate_id}", responses=declared("unknown_gate", "gate_name_taken", *VERSION_PROBLEMS))
    async def change_gate(
        gate_id: UUID, expected: ExpectedVersion, wanted: GateChanges, parts: OfParts, response: Response
    ) -> GateDocument:
        """Change a gate's name, or the ways it serves; at every door within 5 s."""
        changed = await parts.gym(GateService.change, gate_id, wanted.name, wanted.serves, expected)
        return _answered(granted(changed), response)

    @routes.delete("/gates/{gate_id}", status_code=204, responses=declared("unknown_gate", *VERSION_PROBLEMS))
    async def retire_gate(gate_id: UUID, expected: ExpectedVersion, parts: OfParts) -> Response:
        """Use a gate no more: its devices are revoked, scans at it refused, within 5 s. Its past stays."""
        granted(await parts.gym(GateService.retire, gate_id, expected))
        return Response(status_code=204)

    _add_devices(routes)
    return routes


def _answered(gate: Gate, response: Response) -> GateDocument:
    tagged(response, gate.version)
    return GateDocument.model_validate(gate)


def _add_devices(routes: APIRouter) -> None:
    @routes.get("/gyms/{gym_id}/devices", responses=declared("unknown_gym"))
    async def devices_at(gym_id: UUID, parts: OfParts, asked: Asked) -> Listing[GymDeviceDocument]:
        """The devices in use of a gym: when each was seen last, how wrong its clock is, which are silent."""
        found = granted(await parts.gym(DeviceService.devices_at, gym_id, asked))
        now = parts.clock()
        return listing(found, lambda one: GymDeviceDocument.of(one, now))

    @routes.get("/gates/{gate_id}/devices", responses=declared("unknown_gate"))
    async def devices(gate_id: UUID, parts: OfParts, asked: Asked) -> Listing[DeviceDocument]:
        """The devices of a gate, revoked ones too."""
        return listing(granted(await parts.gym(DeviceService.devices, gate_id, asked)), DeviceDocument.model_validate)

    @routes.post("/gates/{gate_id}/devices", status_code=201, responses=declared("unknown_gate", *PROBLEMS))
    async def create_device(gate_id: UUID, wanted: NewDeviceDocument, parts: OfParts, once: OnceOnly) -> CreatedDevice:
        """Give a gate another device. Its credential is in this answer (and its repetitions) and nowhere else."""
        return CreatedDevice.of(granted(await once(parts.gym, DeviceService.create, gate_id, wanted.name)))

    @routes.delete("/devices/{device_id}", status_code=204, responses=declared("unknown_device"))
    async def revoke_device(device_id: UUID, parts: OfParts) -> Response:
        """Take a device's credential back; everywhere within 5 s. Once more changes nothing."""
        granted(await parts.gym(DeviceService.revoke, device_id))
        return Response(status_code=204)
