"""Gates and their devices."""

from uuid import UUID

from fastapi import APIRouter, Response

from deployments.gateway.documents import (
    CreatedDevice,
    DeviceDocument,
    GateDocument,
    NewDeviceDocument,
    NewGate,
)
from deployments.gateway.guard import guarded_router
from deployments.gateway.listing import Asked, Listing, listing
from deployments.gateway.parts import OfParts
from deployments.gateway.problems import declared
from deployments.gateway.refusals import granted
from deployments.gym.desk import GymDesk


def router() -> APIRouter:
    """The calls about gates and devices."""
    routes = guarded_router("gates")

    @routes.get("/gyms/{gym_id}/gates", responses=declared("unknown_gym"))
    async def gates(gym_id: UUID, parts: OfParts, asked: Asked) -> Listing[GateDocument]:
        """The gates of a gym."""
        return listing(granted(await parts.gym(GymDesk.gates, gym_id, asked)), GateDocument.model_validate)

    @routes.post("/gyms/{gym_id}/gates", status_code=201, responses=declared("unknown_gym", "gate_name_taken"))
    async def create_gate(gym_id: UUID, wanted: NewGate, parts: OfParts) -> GateDocument:
        """Give a gym another gate. Its name is unique there."""
        made = granted(await parts.gym(GymDesk.create_gate, gym_id, wanted.name, wanted.serves))
        return GateDocument.model_validate(made)

    @routes.get("/gates/{gate_id}/devices", responses=declared("unknown_gate"))
    async def devices(gate_id: UUID, parts: OfParts, asked: Asked) -> Listing[DeviceDocument]:
        """The devices of a gate, revoked ones too."""
        return listing(granted(await parts.gym(GymDesk.devices, gate_id, asked)), DeviceDocument.model_validate)

    @routes.post("/gates/{gate_id}/devices", status_code=201, responses=declared("unknown_gate"))
    async def create_device(gate_id: UUID, wanted: NewDeviceDocument, parts: OfParts) -> CreatedDevice:
        """Give a gate another device. Its credential is in this answer and nowhere else."""
        return CreatedDevice.of(granted(await parts.gym(GymDesk.create_device, gate_id, wanted.name)))

    @routes.delete("/devices/{device_id}", status_code=204, responses=declared("unknown_device"))
    async def revoke_device(device_id: UUID, parts: OfParts) -> Response:
        """Take a device's credential back; everywhere within 5 s. Once more changes nothing."""
        granted(await parts.gym(GymDesk.revoke_device, device_id))
        return Response(status_code=204)

    return routes
