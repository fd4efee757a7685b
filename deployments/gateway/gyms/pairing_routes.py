"""Devices set up at a door: with a code that is shown once, as QR."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from deployments.gateway.dependencies import OfParts
from deployments.gateway.gyms.device_schemas import CreatedPairing, NewPairing, PairingClaim, PairingDocument
from deployments.gateway.schemas import CreatedDevice
from deployments.gym.devices import PairingService
from deployments.http.dependencies import TheUser
from deployments.http.idempotency import PROBLEMS, IdempotencyKey, OnceOnly, once_of_anyone
from deployments.http.paging import Asked, Listing, listing
from deployments.http.problems import declared
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router

PAGE = "/pair"  # of the web client; what follows its `#` stays in the browser


def router() -> APIRouter:
    """The calls about pairings."""
    routes = guarded_router("gates")

    @routes.get("/gates/{gate_id}/pairings", responses=declared("unknown_gate"))
    async def pairings(gate_id: UUID, parts: OfParts, asked: Asked) -> Listing[PairingDocument]:
        """The codes of a gate that wait for their devices."""
        found = granted(await parts.gym(PairingService.open_pairings, gate_id, asked))
        return listing(found, PairingDocument.model_validate)

    @routes.post("/gates/{gate_id}/pairings", status_code=201, responses=declared("unknown_gate", *PROBLEMS))
    async def create_pairing(
        gate_id: UUID, wanted: NewPairing, user: TheUser, parts: OfParts, once: OnceOnly
    ) -> CreatedPairing:
        """Make a code, good for ten minutes, that makes one device of whoever shows it first."""
        page = parts.settings.api.public_url + PAGE
        made = await once(parts.gym, PairingService.create, gate_id, wanted.name, user.id, page)
        return CreatedPairing.of(granted(made))

    @routes.post("/pairings/claim", status_code=201, responses=declared("unknown_pairing", *PROBLEMS))
    async def claim_pairing(
        shown: PairingClaim, parts: OfParts, request: Request, response: Response, key: IdempotencyKey = None
    ) -> CreatedDevice:
        """Become the device of a code. Its credential is in this answer (and its repetitions) and nowhere else."""
        once = await once_of_anyone(request, response, key, shown.code)
        return CreatedDevice.of(granted(await once(parts.gym, PairingService.claim, shown.code)))

    @routes.delete("/pairings/{pairing_id}", status_code=204, responses=declared("unknown_pairing"))
    async def withdraw_pairing(pairing_id: UUID, parts: OfParts) -> Response:
        """Take a code back that nobody has shown yet."""
        granted(await parts.gym(PairingService.withdraw, pairing_id))
        return Response(status_code=204)

    return routes
