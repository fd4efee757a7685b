"""Machines of the default gym and their pictures, in the existing web client's format."""

import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from deployments.default_stage.dependencies import StageDependencies, StageDeps
from deployments.default_stage.gym_routes import Number
from deployments.gym.legacy_numbers import LegacyNumberService
from deployments.gym.machines import MachineService
from deployments.http.auth import UserPrincipal
from deployments.http.dependencies import CurrentUser
from deployments.http.pictures import ASK_AGAIN, no_picture
from deployments.http.problems import ApiProblem, Fault
from deployments.http.refusals import raise_on_refusal
from deployments.http.route_guard import guarded_router
from deployments.http.text import line, paragraphs
from domain.images.model import ImagePrefix, Size
from domain.machines.legacy_number_repository import NumberedMachine
from domain.machines.model import MachineText

UPLOADS = (("POST", "/api/gyms/machine"),)
"""The call that receives an upload."""

_TYPE = "machine"  # this client knows no types
_UNAVAILABLE = "Not available"
_LONGEST_NAME, _LONGEST_DESCRIPTION = 100, 4000
SOMEBODY = UUID(int=0)
"""What members see as the user of a machine that another member uses.

The nil UUID (RFC 9562 section 5.9) is nobody's `sub`. It is the same for every member, machine and day, so that nobody
can be followed by it.
"""
_NAME_OF_PICTURE = re.compile(r"(?:uploads/)?([0-9a-f]{64})")


class StageMachine(BaseModel):
    """A machine. `userSub` is null while nobody uses it. If another member uses it, members see the nil UUID."""

    id: int
    name: str
    description: str
    available: bool
    userSub: str | None  # noqa: N815 - the client's word
    imagePath: str  # noqa: N815 - the client's word
    gym: int


def router() -> APIRouter:
    """The routes."""
    routes = guarded_router("machines")

    @routes.get("/api/gyms/machine/all", summary="List the machines of a gym")
    async def machines(user: CurrentUser, deps: StageDeps) -> list[StageMachine]:
        """List all machines."""
        found = await deps.gym(LegacyNumberService.machines, deps.settings.gym_number)
        return [_shown(one, user) for one in found]

    @routes.get("/api/gyms/machine", summary="Get a machine")
    async def machine(number: Number, user: CurrentUser, deps: StageDeps) -> StageMachine | None:
        """Get a machine, or null."""
        found = await _numbered(deps, number)
        return None if found is None else _shown(found, user)

    @routes.get("/api/gyms/machine/user", summary="Get the machine that a user uses")
    async def used(
        sub: Annotated[UUID, Query(alias="userSub")], user: CurrentUser, deps: StageDeps
    ) -> StageMachine | None:
        """Get the machine that a user uses, or null. Members see only their own."""
        if sub != user.id and not user.is_staff:
            raise ApiProblem("forbidden", "Only the user of a machine and staff can see who uses it.")
        found = await deps.gym(LegacyNumberService.machines, deps.settings.gym_number)
        return next((_shown(one, user) for one in found if one.used_by == sub), None)

    @routes.delete("/api/gyms/machine", summary="Delete a machine")
    async def delete(number: Number, user: CurrentUser, deps: StageDeps) -> StageMachine:
        """Delete a machine that nobody uses. Returns the deleted machine."""
        found = await _numbered(deps, number)
        if found is None:
            raise ApiProblem("unknown_machine", "There is no machine with this number.")
        raise_on_refusal(await deps.gym(MachineService.delete, found.machine.id, found.machine.version))
        return _shown(found, user)

    _add_pictures(routes)
    return routes


def _add_pictures(routes: APIRouter) -> None:
    @routes.post("/api/gyms/machine", summary="Create a machine")
    async def create(request: Request, user: CurrentUser, deps: StageDeps) -> StageMachine:
        """Create a machine in the default gym, with its picture: `name`, `description`, `available`, `image`."""
        gym = await deps.gym(LegacyNumberService.gym, deps.settings.gym_number)
        if gym is None:
            raise ApiProblem("unknown_gym", "The default gym is not there.")
        async with deps.uploads.quarantined(request, "name", "description", "available") as upload:
            text = _text(upload.texts)
            made = raise_on_refusal(await deps.gym(MachineService.create, gym.gym.id, text, upload.key))
        if upload.texts.get("available", "true").strip().lower() == "false":
            made = raise_on_refusal(await deps.gym(MachineService.set_out_of_order, made.id, _UNAVAILABLE))
        return _shown(NumberedMachine(made, gym.gym.legacy_number, None), user)

    @routes.get("/api/gyms/machine/image", summary="Get the picture of a machine", response_class=Response)
    async def image(path: Annotated[str, Query(alias="imagePath", max_length=200)], deps: StageDeps) -> Response:
        """Get the picture of a machine."""
        named = _NAME_OF_PICTURE.fullmatch(path)
        if named is None:
            raise no_picture()
        return await deps.pictures.show(ImagePrefix.MACHINES, named[1], Size.LARGE, ASK_AGAIN)


async def _numbered(deps: StageDependencies, number: int) -> NumberedMachine | None:
    return await deps.gym(LegacyNumberService.machine, deps.settings.gym_number, number)


def _text(texts: dict[str, str]) -> MachineText:
    faults = []
    try:
        name, description = line(texts.get("name", "")), paragraphs(texts.get("description", ""))
    except ValueError as error:
        raise ApiProblem(
            "invalid_request", "The request is not valid.", faults=[Fault("name or description", str(error))]
        ) from error
    if not 1 <= len(name) <= _LONGEST_NAME:
        faults.append(Fault("name", f"has 1 to {_LONGEST_NAME} characters"))
    if len(description) > _LONGEST_DESCRIPTION:
        faults.append(Fault("description", f"has more than {_LONGEST_DESCRIPTION} characters"))
    if texts.get("available", "true").strip().lower() not in {"true", "false"}:
        faults.append(Fault("available", "is `true` or `false`"))
    if faults:
        raise ApiProblem("invalid_request", "The request is not valid.", faults=faults)
    return MachineText(name, _TYPE, description)


def _shown(one: NumberedMachine, user: UserPrincipal) -> StageMachine:
    machine = one.machine
    return StageMachine(
        id=machine.legacy_number,
        name=machine.name,
        description=machine.description,
        available=machine.free,
        userSub=_shown_user(one.used_by, user),
        imagePath=machine.image or "",
        gym=one.gym_number,
    )


def _shown_user(used_by: UUID | None, user: UserPrincipal) -> str | None:
    """That client takes a machine without a user for free, whatever `available` says."""
    if used_by is None:
        return None
    return str(used_by if user.is_staff or used_by == user.id else SOMEBODY)
