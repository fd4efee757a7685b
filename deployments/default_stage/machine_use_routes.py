"""The use of machines in the existing web client's format: by the number in the machine's QR code."""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, BeforeValidator, Field

from deployments.default_stage.dependencies import StageDeps
from deployments.gym.legacy_numbers import LegacyNumberService
from deployments.http.dependencies import CurrentUser
from deployments.http.problems import retryable
from deployments.http.request_body import not_a_boolean
from deployments.http.route_guard import guarded_router
from domain.door.machine_model import MachineAction, MachineAnswer, UseReason
from integrations.rendering.pass_images import png

_PIXELS = 300
_BAD = 400
_ACTIONS = {"use": MachineAction.USE, "leave": MachineAction.RELEASE}
_SAID = {UseReason.NOT_INSIDE: "User not in gym", UseReason.ALREADY_USING: "User already using a machine"}
_answers = msgspec.json.Decoder(MachineAnswer)

MachineNumber = Annotated[int, Field(ge=0, le=2**31 - 1), BeforeValidator(not_a_boolean)]


class NamedMachine(BaseModel):
    """A machine by its number."""

    machineId: MachineNumber  # noqa: N815 - the client's word


class MachineUseRequest(NamedMachine):
    """A request to use or release a machine."""

    intention: Literal["use", "leave"]


def router() -> APIRouter:
    """The routes."""
    routes = guarded_router("machines")

    @routes.post("/api/qr/generate-machine", summary="Get the QR code of a machine", response_class=Response)
    async def code(named: NamedMachine, deps: StageDeps) -> Response:
        """Get the QR code of a machine. It contains the number."""
        gym_number = deps.settings.gym_number
        if await deps.gym(LegacyNumberService.machine, gym_number, named.machineId) is None:
            return PlainTextResponse("There is no machine with this number.", _BAD)
        return Response(png(str(named.machineId), _PIXELS), media_type="image/png")

    @routes.post("/api/qr/machine", summary="Use or release a machine", response_class=PlainTextResponse)
    async def use_machine(body: MachineUseRequest, user: CurrentUser, deps: StageDeps) -> Response:
        """Use a machine, or release it."""
        gym_number = deps.settings.gym_number
        found = await deps.gym(LegacyNumberService.machine, gym_number, body.machineId)
        if found is None:
            return PlainTextResponse("False")
        decided = await deps.door.machine_by_member(user.id, found.machine.id, _ACTIONS[body.intention])
        answer = _answers.decode(decided.unwrap())
        if answer.reason is UseReason.TOO_LATE:
            raise retryable("no_answer_in_time", "There was no decision by the deadline. Try again.")
        return PlainTextResponse("True" if answer.reason is None else _SAID.get(answer.reason, "False"))

    return routes
