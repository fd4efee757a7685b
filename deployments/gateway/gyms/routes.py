"""Gyms, opening hours, gates, devices and the pairing of devices."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from deployments.gateway.dependencies import Deps
from deployments.gateway.gyms.schemas import (
    CreatedDevice,
    CreatedPairing,
    DeviceDocument,
    GateChanges,
    GateDocument,
    GymChanges,
    GymDeviceDocument,
    GymDocument,
    NewDeviceDocument,
    NewGate,
    NewGym,
    NewOpeningHours,
    NewPairing,
    OccupancyDocument,
    OpeningHoursDocument,
    PairingClaim,
    PairingDocument,
)
from deployments.gym.devices import DeviceService, PairingService
from deployments.gym.door_records import DoorRecordService
from deployments.gym.gates import GateService
from deployments.gym.gyms import GymService
from deployments.http.auth import can_see_retired, require_own_gym
from deployments.http.dependencies import CurrentPrincipal, CurrentUser
from deployments.http.etags import ExpectedVersion, set_etag, with_etag
from deployments.http.idempotency import PROBLEMS as KEY_PROBLEMS
from deployments.http.idempotency import IdempotencyKey, Idempotent, once_for_public_call
from deployments.http.paging import Listing, PageQuery, listing
from deployments.http.problems import declared
from deployments.http.refusals import found, raise_on_refusal
from deployments.http.route_guard import guarded_router

gyms_router = guarded_router("gyms")
gates_router = guarded_router("gyms")

_PAIRING_PAGE = "/pair"  # a page of the web client


@gyms_router.get("/gyms", summary="List gyms")
async def gyms(
    deps: Deps,
    page: PageQuery,
    *,
    retired: Annotated[bool, Query(description="List the retired gyms instead.")] = False,
) -> Listing[GymDocument]:
    """List the gyms in operation."""
    return listing(await deps.gym(GymService.gyms, page, retired=retired), GymDocument.model_validate)


@gyms_router.get("/gyms/{gym_id}", summary="Get a gym", responses=declared("unknown_gym"))
async def gym(gym_id: UUID, principal: CurrentPrincipal, deps: Deps, response: Response) -> GymDocument:
    """Get a gym. Only staff and the gym's devices see a retired gym; a device sees only its own gym."""
    require_own_gym(principal, gym_id)
    shown = found(await deps.gym(GymService.gym, gym_id, retired=can_see_retired(principal)), "unknown_gym")
    return with_etag(GymDocument.model_validate(shown), response)


@gyms_router.get("/gyms/{gym_id}/occupancy", summary="Get the occupancy of a gym", responses=declared("unknown_gym"))
async def occupancy(gym_id: UUID, principal: CurrentPrincipal, deps: Deps) -> OccupancyDocument:
    """Count the people who are inside now. A device sees only its own gym."""
    require_own_gym(principal, gym_id)
    as_of = deps.clock()
    count = found(
        await deps.gym(DoorRecordService.occupancy, gym_id, retired=can_see_retired(principal)), "unknown_gym"
    )
    return OccupancyDocument(gym_id=gym_id, occupancy=count.occupancy, capacity=count.capacity, as_of=as_of)


@gyms_router.post("/gyms", summary="Create a gym", status_code=201, responses=declared(*KEY_PROBLEMS))
async def create_gym(new: NewGym, deps: Deps, response: Response, once: Idempotent) -> GymDocument:
    """Create a gym. It is open day and night until it has opening hours."""
    created = await once(deps.gym, GymService.create, new.details())
    return with_etag(GymDocument.model_validate(created), response)


@gyms_router.patch("/gyms/{gym_id}", summary="Change a gym", responses=declared("unknown_gym"))
async def change_gym(
    gym_id: UUID, expected: ExpectedVersion, new: GymChanges, deps: Deps, response: Response
) -> GymDocument:
    """Change a gym. Below a reduced capacity nobody can enter; nobody who is inside has to leave."""
    changed = raise_on_refusal(await deps.gym(GymService.change, gym_id, new.changes(), expected))
    return with_etag(GymDocument.model_validate(changed), response)


@gyms_router.delete(
    "/gyms/{gym_id}", summary="Delete a gym", status_code=204, responses=declared("unknown_gym", "gym_in_use")
)
async def delete_gym(gym_id: UUID, expected: ExpectedVersion, deps: Deps) -> Response:
    """Delete a gym that was never used. A gym with visits, scans, machines or plans can only be retired."""
    raise_on_refusal(await deps.gym(GymService.delete, gym_id, expected))
    return Response(status_code=204)


@gyms_router.post("/gyms/{gym_id}/retire", summary="Retire a gym", responses=declared("unknown_gym", "gym_not_empty"))
async def retire_gym(
    gym_id: UUID,
    deps: Deps,
    response: Response,
    *,
    force: Annotated[bool, Query(description="Retire the gym even while people are inside.")] = False,
) -> GymDocument:
    """Close a gym for good: nobody can enter, people inside can leave, lists omit the gym. Idempotent.

    While people are inside, the call is refused unless `force` is true. Staff can still read a retired gym.
    """
    retired = raise_on_refusal(await deps.gym(GymService.retire, gym_id, force=force))
    return with_etag(GymDocument.model_validate(retired), response)


@gyms_router.post("/gyms/{gym_id}/reopen", summary="Reopen a gym", responses=declared("unknown_gym"))
async def reopen_gym(gym_id: UUID, deps: Deps, response: Response) -> GymDocument:
    """Reopen a retired gym. Idempotent."""
    reopened = raise_on_refusal(await deps.gym(GymService.reopen, gym_id))
    return with_etag(GymDocument.model_validate(reopened), response)


@gyms_router.get(
    "/gyms/{gym_id}/opening-hours", summary="Get the opening hours of a gym", responses=declared("unknown_gym")
)
async def opening_hours(
    gym_id: UUID, principal: CurrentPrincipal, deps: Deps, response: Response
) -> OpeningHoursDocument:
    """Get the opening hours of a gym, and whether it is open now. A device sees only its own gym."""
    require_own_gym(principal, gym_id)
    hours = raise_on_refusal(await deps.gym(GymService.opening_hours, gym_id, retired=can_see_retired(principal)))
    set_etag(response, hours.gym.version)
    return OpeningHoursDocument.of(hours, deps.clock())


@gyms_router.put(
    "/gyms/{gym_id}/opening-hours",
    summary="Set the opening hours of a gym",
    responses=declared("unknown_gym", "hours_do_not_fit"),
)
async def set_opening_hours(
    gym_id: UUID, expected: ExpectedVersion, new: NewOpeningHours, deps: Deps, response: Response
) -> OpeningHoursDocument:
    """Replace all opening hours. The exceptions of a date replace the hours of its weekday."""
    hours = raise_on_refusal(await deps.gym(GymService.set_opening_hours, gym_id, new.timetable(), expected))
    set_etag(response, hours.gym.version)
    return OpeningHoursDocument.of(hours, deps.clock())


@gates_router.get("/gyms/{gym_id}/gates", summary="List the gates of a gym", responses=declared("unknown_gym"))
async def gates(gym_id: UUID, deps: Deps, page: PageQuery) -> Listing[GateDocument]:
    """List the gates of a gym."""
    return listing(raise_on_refusal(await deps.gym(GateService.gates, gym_id, page)), GateDocument.model_validate)


@gates_router.post(
    "/gyms/{gym_id}/gates",
    summary="Create a gate",
    status_code=201,
    responses=declared("unknown_gym", "gate_name_taken", *KEY_PROBLEMS),
)
async def create_gate(gym_id: UUID, new: NewGate, deps: Deps, response: Response, once: Idempotent) -> GateDocument:
    """Create a gate. Its name is unique in its gym."""
    created = raise_on_refusal(await once(deps.gym, GateService.create, gym_id, new.name, new.serves))
    return with_etag(GateDocument.model_validate(created), response)


@gates_router.get("/gates/{gate_id}", summary="Get a gate", responses=declared("unknown_gate"))
async def gate(gate_id: UUID, deps: Deps, response: Response) -> GateDocument:
    """Get a gate."""
    shown = raise_on_refusal(await deps.gym(GateService.gate, gate_id))
    return with_etag(GateDocument.model_validate(shown), response)


@gates_router.patch("/gates/{gate_id}", summary="Change a gate", responses=declared("unknown_gate", "gate_name_taken"))
async def change_gate(
    gate_id: UUID, expected: ExpectedVersion, new: GateChanges, deps: Deps, response: Response
) -> GateDocument:
    """Change the name of a gate, or the directions that it serves. Takes effect within 5 s."""
    changed = raise_on_refusal(await deps.gym(GateService.change, gate_id, new.name, new.serves, expected))
    return with_etag(GateDocument.model_validate(changed), response)


@gates_router.delete("/gates/{gate_id}", summary="Retire a gate", status_code=204, responses=declared("unknown_gate"))
async def retire_gate(gate_id: UUID, expected: ExpectedVersion, deps: Deps) -> Response:
    """Retire a gate: its devices are revoked and its scans refused within 5 s. Its history is kept."""
    raise_on_refusal(await deps.gym(GateService.retire, gate_id, expected))
    return Response(status_code=204)


@gates_router.get("/gyms/{gym_id}/devices", summary="List the devices of a gym", responses=declared("unknown_gym"))
async def devices_at(gym_id: UUID, deps: Deps, page: PageQuery) -> Listing[GymDeviceDocument]:
    """List the devices in use at a gym: when each was last seen, its clock error, and whether it is silent."""
    devices = raise_on_refusal(await deps.gym(DeviceService.devices_at, gym_id, page))
    now = deps.clock()
    return listing(devices, lambda one: GymDeviceDocument.of(one, now))


@gates_router.get("/gates/{gate_id}/devices", summary="List the devices of a gate", responses=declared("unknown_gate"))
async def devices(gate_id: UUID, deps: Deps, page: PageQuery) -> Listing[DeviceDocument]:
    """List the devices of a gate, including revoked devices."""
    return listing(
        raise_on_refusal(await deps.gym(DeviceService.devices, gate_id, page)), DeviceDocument.model_validate
    )


@gates_router.post(
    "/gates/{gate_id}/devices",
    summary="Create a device",
    status_code=201,
    responses=declared("unknown_gate", *KEY_PROBLEMS),
)
async def create_device(gate_id: UUID, new: NewDeviceDocument, deps: Deps, once: Idempotent) -> CreatedDevice:
    """Create a device. Only this response, and its replays, contain the credential."""
    return CreatedDevice.of(raise_on_refusal(await once(deps.gym, DeviceService.create, gate_id, new.name)))


@gates_router.delete(
    "/devices/{device_id}", summary="Revoke a device", status_code=204, responses=declared("unknown_device")
)
async def revoke_device(device_id: UUID, deps: Deps) -> Response:
    """Revoke the credential of a device. Takes effect within 5 s. Idempotent."""
    raise_on_refusal(await deps.gym(DeviceService.revoke, device_id))
    return Response(status_code=204)


@gates_router.get(
    "/gates/{gate_id}/pairings", summary="List the pairing codes of a gate", responses=declared("unknown_gate")
)
async def pairings(gate_id: UUID, deps: Deps, page: PageQuery) -> Listing[PairingDocument]:
    """List the unused pairing codes of a gate."""
    return listing(
        raise_on_refusal(await deps.gym(PairingService.open_pairings, gate_id, page)), PairingDocument.model_validate
    )


@gates_router.post(
    "/gates/{gate_id}/pairings",
    summary="Create a pairing code",
    status_code=201,
    responses=declared("unknown_gate", *KEY_PROBLEMS),
)
async def create_pairing(
    gate_id: UUID, new: NewPairing, user: CurrentUser, deps: Deps, once: Idempotent
) -> CreatedPairing:
    """Create a pairing code. It is valid for ten minutes, for the first device that sends it."""
    page = deps.settings.api.public_url + _PAIRING_PAGE
    return CreatedPairing.of(
        raise_on_refusal(await once(deps.gym, PairingService.create, gate_id, new.name, user.id, page))
    )


@gates_router.post(
    "/pairings/claim",
    summary="Claim a pairing code",
    status_code=201,
    responses=declared("unknown_pairing", *KEY_PROBLEMS),
)
async def claim_pairing(
    claim: PairingClaim, deps: Deps, request: Request, response: Response, key: IdempotencyKey = None
) -> CreatedDevice:
    """Become a device of the gate that a code belongs to. Only this response, and its replays, have the credential."""
    once = await once_for_public_call(request, response, key, claim.code)
    return CreatedDevice.of(raise_on_refusal(await once(deps.gym, PairingService.claim, claim.code)))


@gates_router.delete(
    "/pairings/{pairing_id}", summary="Withdraw a pairing code", status_code=204, responses=declared("unknown_pairing")
)
async def withdraw_pairing(pairing_id: UUID, deps: Deps) -> Response:
    """Withdraw an unused pairing code."""
    raise_on_refusal(await deps.gym(PairingService.withdraw, pairing_id))
    return Response(status_code=204)
