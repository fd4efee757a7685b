"""Pictures of machines, and what is stuck on them."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from deployments.gateway.dependencies import OfParts
from deployments.gateway.machines.routes import shown as shown_machine
from deployments.gateway.machines.schemas import MachineDocument, NewMachine
from deployments.gym.machines import MachineService
from deployments.http.etags import PROBLEMS as VERSION_PROBLEMS
from deployments.http.etags import ExpectedVersion
from deployments.http.idempotency import PROBLEMS as KEY_PROBLEMS
from deployments.http.idempotency import IdempotencyKey, once_of
from deployments.http.pictures import (
    ASK_AGAIN,
    PROBLEMS,
    UNCHANGING,
    NoneMatch,
    Sha256,
    no_picture,
    shown,
    upload_body,
)
from deployments.http.problems import declared
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router
from deployments.http.uploads import PROBLEMS as UPLOAD_PROBLEMS
from domain.images.model import Shelf, Size

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_TEXTS = NewMachine.model_json_schema()["properties"]


def router() -> APIRouter:
    """The calls about pictures of machines."""
    routes = guarded_router("machines")

    @routes.post(
        "/gyms/{gym_id}/machines",
        status_code=201,
        responses=declared("unknown_gym", *UPLOAD_PROBLEMS, *KEY_PROBLEMS),
        openapi_extra=upload_body(_TEXTS, raw=False),
    )
    async def create(
        gym_id: UUID, request: Request, parts: OfParts, response: Response, key: IdempotencyKey = None
    ) -> MachineDocument:
        """Put a machine into a gym, with its picture; without one there is no machine."""
        async with parts.uploads.quarantined(request, *NewMachine.model_fields) as upload:
            wanted = _new_machine(upload.texts)
            once = once_of(request, response, key, upload.content_hash)
            made = granted(await once(parts.gym, MachineService.create, gym_id, wanted.as_text(), upload.key))
        response.headers["Location"] = f"/api/machines/{made.id}"
        return shown_machine(made, response)

    @routes.put(
        "/machines/{machine_id}/image",
        responses=declared("unknown_machine", *UPLOAD_PROBLEMS, *VERSION_PROBLEMS),
        openapi_extra=upload_body({}, raw=True),
    )
    async def replace(
        machine_id: UUID, request: Request, expected: ExpectedVersion, parts: OfParts, response: Response
    ) -> MachineDocument:
        """Give a machine another picture."""
        async with parts.uploads.quarantined(request) as upload:
            changed = granted(await parts.gym(MachineService.set_image, machine_id, upload.key, expected))
        return shown_machine(changed, response)

    @routes.get(
        "/machines/{machine_id}/image",
        response_class=Response,
        responses={**shown(), **declared("unknown_machine", *PROBLEMS)},
    )
    async def image(
        machine_id: UUID, parts: OfParts, size: Size = Size.LARGE, if_none_match: NoneMatch = None
    ) -> Response:
        """The picture that a machine has now."""
        machine = granted(await parts.gym(MachineService.machine, machine_id))
        if machine.image is None:
            raise no_picture()
        return await parts.pictures.show(Shelf.MACHINES, machine.image, size, ASK_AGAIN, if_none_match)

    @routes.get("/images/{sha256}", response_class=Response, responses={**shown(), **declared(*PROBLEMS)})
    async def named(
        sha256: Sha256, parts: OfParts, size: Size = Size.LARGE, if_none_match: NoneMatch = None
    ) -> Response:
        """The picture of this name; it never changes."""
        return await parts.pictures.show(Shelf.MACHINES, sha256, size, UNCHANGING, if_none_match)

    _add_labels(routes)
    return routes


def _add_labels(routes: APIRouter) -> None:
    @routes.get(
        "/machines/{machine_id}/qr.png",
        response_class=Response,
        responses={200: {"content": {"image/png": _BINARY}}, **declared("unknown_machine")},
    )
    async def label(machine_id: UUID, parts: OfParts) -> Response:
        """A machine's label: the QR code of its address, its name and type."""
        label = granted(await parts.gym(MachineService.label, machine_id, parts.settings.api.public_url))
        return Response(label, media_type="image/png")

    @routes.get(
        "/gyms/{gym_id}/machine-labels.pdf",
        response_class=Response,
        responses={200: {"content": {"application/pdf": _BINARY}}, **declared("unknown_gym")},
    )
    async def labels(gym_id: UUID, parts: OfParts) -> Response:
        """The labels of all machines of a gym on sheets of A4, 3 by 8 on each."""
        sheets = granted(await parts.gym(MachineService.labels, gym_id, parts.settings.api.public_url))
        return Response(sheets, media_type="application/pdf")


def _new_machine(texts: dict[str, str]) -> NewMachine:
    try:
        return NewMachine.model_validate(texts)
    except ValidationError as error:
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]) from error
