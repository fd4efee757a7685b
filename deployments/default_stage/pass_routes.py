"""Passes and the entrance scan in the existing web client's format."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from deployments.default_stage.dependencies import StageDeps
from deployments.gym.gates import GateService
from deployments.http.auth import UserPrincipal
from deployments.http.dependencies import CurrentUser
from deployments.http.problems import ApiProblem, unauthenticated
from deployments.http.request_body import RequestBody
from deployments.http.route_guard import guarded_router
from deployments.identity.users import UserService
from deployments.qr.passes import ImageKind
from deployments.qr.scan_bodies import MAX_CODE_LENGTH
from domain.door.model import Direction, Outcome, PassReading, PassStatus, Reason, ScanAnswer
from domain.ids import new_id
from domain.passes import good_until
from integrations.tokens import MAX_TOKEN_LENGTH, TokenRefusedError

_PIXELS = 300
_SAID = {Outcome.ENTERED: "Entered", Outcome.LEFT: "Left"}
_answers = msgspec.json.Decoder(ScanAnswer)


class OwnToken(RequestBody):
    """The caller's own ID token."""

    token: Annotated[str, Field(max_length=MAX_TOKEN_LENGTH)]


class ShownPass(RequestBody):
    """A code that was read from a phone."""

    qrToken: Annotated[str, Field(max_length=MAX_CODE_LENGTH)]  # noqa: N815 - the client's word


class Entrance(RequestBody):
    """A code that was read at the entrance."""

    token: Annotated[str, Field(max_length=MAX_CODE_LENGTH)]


class PassHolder(BaseModel):
    """The member of a pass, and when the pass expires."""

    username: str
    roles: list[str]
    expiration: datetime


def router() -> APIRouter:
    """The routes."""
    routes = guarded_router("passes")

    @routes.post("/api/qr/generate", summary="Get my pass as an image", response_class=Response)
    async def generate(shown: OwnToken, user: CurrentUser, deps: StageDeps) -> Response:
        """Get the caller's pass as an image. The token names the caller; the image does not contain it.

        This client never renews a pass, so the pass is long-lived: see docs/door.md.
        """
        try:
            named = await deps.tokens.verify(shown.token)
        except TokenRefusedError as error:
            raise unauthenticated("The token in the body is invalid or expired.") from error
        if named.user_id != user.id:
            raise ApiProblem("forbidden", "The token in the body is another member's. Send your own.")
        validity = timedelta(seconds=deps.settings.pass_validity_s)
        picture = await deps.qr.image(user.id, ImageKind.PNG, _PIXELS, validity)
        return Response(picture, media_type="image/png")

    @routes.post("/api/qr/validate", summary="Validate a code")
    async def validate(shown: ShownPass, user: CurrentUser, deps: StageDeps) -> PassHolder:
        """Get the member of a pass. Members can send only their own pass."""
        member_id, expiration = _good(await deps.qr.read(shown.qrToken.strip()))
        if member_id != user.id:
            _staff_only(user)
        member = await deps.identity(UserService.user, member_id)
        if member is None:
            raise unauthenticated("The member of this pass is not known.")
        return PassHolder(username=member.email or member.name, roles=sorted(member.roles), expiration=expiration)

    @routes.post("/api/qr/gym_entrance", summary="Scan a pass at a gate", response_class=PlainTextResponse)
    async def entrance(read: Entrance, user: CurrentUser, deps: StageDeps) -> Response:
        """Scan a pass at the default gate of the default gym."""
        gate = await deps.gym(GateService.gate_of_numbered_gym, deps.settings.gym_number)
        if gate is None:
            raise ApiProblem("unknown_gate", "The default gym has no gate that serves both directions.")
        scan = {"code": read.token, "gate_id": gate.id, "direction": Direction.AUTO, "scan_id": str(new_id())}
        scanned = await deps.door.scan_by_staff(user.id, msgspec.json.encode(scan))
        answer = _answers.decode(scanned.unwrap())
        if answer.reason is None:
            return PlainTextResponse(_SAID[answer.outcome])
        return PlainTextResponse("Full") if answer.reason is Reason.GYM_FULL else PlainTextResponse(answer.reason, 403)

    return routes


def _good(reading: PassReading) -> tuple[UUID, datetime]:
    """The member of a valid pass, and when the pass expires."""
    if reading.status is not PassStatus.VALID or reading.member_id is None or reading.issued_at is None:
        raise unauthenticated("This is no pass, or it has expired.")
    return reading.member_id, good_until(reading.issued_at, reading.validity)


def _staff_only(user: UserPrincipal) -> None:
    if not user.is_staff:
        raise ApiProblem("forbidden", "Only the owner of a pass and staff can see its member.")
