"""Machines, their pictures and labels, and their use."""

from typing import Annotated
from uuid import UUID

from fastapi import Body, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from deployments.gateway.dependencies import Deps
from deployments.gateway.machines.schemas import (
    MachineAnswerDocument,
    MachineDocument,
    MachineEdit,
    NewMachine,
    NewMachineRequest,
    OutOfOrder,
)
from deployments.gateway.machines.use import decide_machine_use
from deployments.gym.machines import MachineService
from deployments.http.auth import can_see_retired
from deployments.http.dependencies import CurrentPrincipal, CurrentUser
from deployments.http.etags import ExpectedVersion, NoneMatch, with_etag
from deployments.http.idempotency import PROBLEMS as KEY_PROBLEMS
from deployments.http.idempotency import IdempotencyKey, once_for_body_hash, request_id_from_key
from deployments.http.openapi import file_response
from deployments.http.paging import Listing, PageQuery, listing
from deployments.http.pictures import (
    ASK_AGAIN,
    PICTURE_RESPONSES,
    PROBLEMS,
    UNCHANGING,
    Sha256,
    no_picture,
    upload_body,
)
from deployments.http.problems import declared
from deployments.http.refusals import raise_on_refusal
from deployments.http.route_guard import guarded_router
from deployments.http.uploads import PROBLEMS as UPLOAD_PROBLEMS
from domain.door.machine_model import MachineAction
from domain.images.model import ImagePrefix, Size
from domain.machines.model import MachineFilter

router = guarded_router("machines")

_USE_PROBLEMS = declared("unknown_machine", "request_id_reused", "no_answer_in_time", "not_decided")


@router.get("/gyms/{gym_id}/machines", summary="List the machines of a gym", responses=declared("unknown_gym"))
async def machines(
    gym_id: UUID,
    principal: CurrentPrincipal,
    deps: Deps,
    page: PageQuery,
    type: Annotated[str | None, Query(max_length=50, description="Only machines of this type.")] = None,  # noqa: A002 - the name in the API
    free: Annotated[bool | None, Query(description="Only free machines, or only machines that are not free.")] = None,
    *,
    retired: Annotated[bool, Query(description="Include retired machines.")] = False,
) -> Listing[MachineDocument]:
    """List the machines of a gym."""
    filters = MachineFilter(type, free, retired)
    found = await deps.gym(MachineService.machines, gym_id, filters, page, retired_gym=can_see_retired(principal))
    return listing(raise_on_refusal(found), MachineDocument.of)


@router.get("/machines/{machine_id}", summary="Get a machine", responses=declared("unknown_machine"))
async def machine(machine_id: UUID, deps: Deps, response: Response) -> MachineDocument:
    """Get a machine, retired or not. Send its `ETag` with a change."""
    return with_etag(MachineDocument.of(raise_on_refusal(await deps.gym(MachineService.machine, machine_id))), response)


@router.post(
    "/gyms/{gym_id}/machines",
    summary="Create a machine",
    status_code=201,
    responses=declared("unknown_gym", *UPLOAD_PROBLEMS, *KEY_PROBLEMS),
    openapi_extra=upload_body(NewMachine.model_json_schema()["properties"], raw=False),
)
async def create(
    gym_id: UUID, request: Request, deps: Deps, response: Response, key: IdempotencyKey = None
) -> MachineDocument:
    """Create a machine with its picture. Without a valid picture no machine is created."""
    async with deps.uploads.quarantined(request, *NewMachine.model_fields) as upload:
        new = _new_machine(upload.texts)
        once = once_for_body_hash(request, response, key, upload.content_hash)
        created = raise_on_refusal(await once(deps.gym, MachineService.create, gym_id, new.as_text(), upload.key))
    response.headers["Location"] = f"/api/machines/{created.id}"
    return with_etag(MachineDocument.of(created), response)


def _new_machine(texts: dict[str, str]) -> NewMachine:
    try:
        return NewMachine.model_validate(texts)
    except ValidationError as error:
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]) from error


@router.patch("/machines/{machine_id}", summary="Change a machine", responses=declared("unknown_machine"))
async def edit(
    machine_id: UUID, new: MachineEdit, expected: ExpectedVersion, deps: Deps, response: Response
) -> MachineDocument:
    """Change the texts of a machine."""
    changed = raise_on_refusal(await deps.gym(MachineService.edit, machine_id, new.as_change(), expected))
    return with_etag(MachineDocument.of(changed), response)


@router.delete(
    "/machines/{machine_id}",
    summary="Delete a machine",
    status_code=204,
    responses=declared("unknown_machine", "machine_in_use"),
)
async def delete(machine_id: UUID, expected: ExpectedVersion, deps: Deps) -> Response:
    """Delete a machine that nobody uses. The history of its use is kept."""
    raise_on_refusal(await deps.gym(MachineService.delete, machine_id, expected))
    return Response(status_code=204)


@router.post("/machines/{machine_id}/retire", summary="Retire a machine", responses=declared("unknown_machine"))
async def retire(machine_id: UUID, deps: Deps, response: Response) -> MachineDocument:
    """Retire a machine: lists omit it, its address still works. Idempotent."""
    retired = raise_on_refusal(await deps.gym(MachineService.set_retired, machine_id, True))  # noqa: FBT003 - crosses a handle
    return with_etag(MachineDocument.of(retired), response)


@router.post("/machines/{machine_id}/reopen", summary="Reopen a machine", responses=declared("unknown_machine"))
async def reopen(machine_id: UUID, deps: Deps, response: Response) -> MachineDocument:
    """Return a retired machine to service. Idempotent."""
    reopened = raise_on_refusal(await deps.gym(MachineService.set_retired, machine_id, False))  # noqa: FBT003 - crosses a handle
    return with_etag(MachineDocument.of(reopened), response)


@router.put(
    "/machines/{machine_id}/out-of-order",
    summary="Mark a machine as out of order",
    responses=declared("unknown_machine"),
)
async def out_of_order(machine_id: UUID, why: OutOfOrder, deps: Deps, response: Response) -> MachineDocument:
    """Mark a machine as out of order, with the reason."""
    marked = raise_on_refusal(await deps.gym(MachineService.set_out_of_order, machine_id, why.reason))
    return with_etag(MachineDocument.of(marked), response)


@router.delete(
    "/machines/{machine_id}/out-of-order", summary="Mark a machine as working", responses=declared("unknown_machine")
)
async def working_again(machine_id: UUID, deps: Deps, response: Response) -> MachineDocument:
    """Mark a machine as working again. Idempotent."""
    marked = raise_on_refusal(await deps.gym(MachineService.set_out_of_order, machine_id, None))
    return with_etag(MachineDocument.of(marked), response)


@router.get(
    "/machines/{machine_id}/image",
    summary="Get the picture of a machine",
    response_class=Response,
    responses=PICTURE_RESPONSES | declared("unknown_machine", *PROBLEMS),
)
async def image(machine_id: UUID, deps: Deps, size: Size = Size.LARGE, if_none_match: NoneMatch = None) -> Response:
    """Get the current picture of a machine."""
    shown = raise_on_refusal(await deps.gym(MachineService.machine, machine_id))
    if shown.image is None:
        raise no_picture()
    return await deps.pictures.show(ImagePrefix.MACHINES, shown.image, size, ASK_AGAIN, if_none_match)


@router.put(
    "/machines/{machine_id}/image",
    summary="Replace the picture of a machine",
    responses=declared("unknown_machine", *UPLOAD_PROBLEMS),
    openapi_extra=upload_body({}, raw=True),
)
async def replace(
    machine_id: UUID, request: Request, expected: ExpectedVersion, deps: Deps, response: Response
) -> MachineDocument:
    """Replace the picture of a machine."""
    async with deps.uploads.quarantined(request) as upload:
        changed = raise_on_refusal(await deps.gym(MachineService.set_image, machine_id, upload.key, expected))
    return with_etag(MachineDocument.of(changed), response)


@router.get(
    "/images/{sha256}",
    summary="Get a machine picture by its hash",
    response_class=Response,
    responses=PICTURE_RESPONSES | declared(*PROBLEMS),
)
async def machine_picture(
    sha256: Sha256, deps: Deps, size: Size = Size.LARGE, if_none_match: NoneMatch = None
) -> Response:
    """Get a picture of a machine by its hash. The picture at this address never changes."""
    return await deps.pictures.show(ImagePrefix.MACHINES, sha256, size, UNCHANGING, if_none_match)


@router.get(
    "/machines/{machine_id}/qr.png",
    summary="Get the label of a machine",
    response_class=Response,
    responses=file_response("image/png") | declared("unknown_machine"),
)
async def label(machine_id: UUID, deps: Deps) -> Response:
    """Get the label of a machine: the QR code of its address, its name and its type."""
    png = raise_on_refusal(await deps.gym(MachineService.label, machine_id, deps.settings.api.public_url))
    return Response(png, media_type="image/png")


@router.get(
    "/gyms/{gym_id}/machine-labels.pdf",
    summary="Get the machine labels of a gym",
    response_class=Response,
    responses=file_response("application/pdf") | declared("unknown_gym"),
)
async def labels(gym_id: UUID, deps: Deps) -> Response:
    """Get the labels of all machines of a gym on A4 sheets, 3 by 8 labels on each."""
    pdf = raise_on_refusal(await deps.gym(MachineService.labels, gym_id, deps.settings.api.public_url))
    return Response(pdf, media_type="application/pdf")


_Body = Annotated[NewMachineRequest | None, Body()]


async def _request_id(request: Request, new: _Body = None, key: IdempotencyKey = None) -> str | None:
    own = None if new is None else new.request_id
    return own or request_id_from_key(request, key)


RequestId = Annotated[str | None, Depends(_request_id)]


@router.post(
    "/machines/{machine_id}/use", summary="Use a machine", response_model=MachineAnswerDocument, responses=_USE_PROBLEMS
)
async def use(machine_id: UUID, user: CurrentUser, deps: Deps, request_id: RequestId) -> Response:
    """Use a machine. The member must be inside its gym and can use one machine at a time; leaving releases it."""
    decision = await decide_machine_use(deps, user.id, MachineAction.USE, machine_id, request_id=request_id)
    return Response(decision, media_type="application/json")


@router.post(
    "/machines/{machine_id}/release",
    summary="Release a machine",
    response_model=MachineAnswerDocument,
    responses=_USE_PROBLEMS,
)
async def release(machine_id: UUID, user: CurrentUser, deps: Deps, request_id: RequestId) -> Response:
    """Release a machine that you use. Staff can release it for any member."""
    decision = await decide_machine_use(
        deps, user.id, MachineAction.RELEASE, machine_id, request_id=request_id, is_staff=user.is_staff
    )
    return Response(decision, media_type="application/json")
