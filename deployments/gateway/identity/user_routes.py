"""The caller's own account, and the accounts of all users."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response

from deployments.gateway.dependencies import Dependencies, Deps
from deployments.gateway.identity.schemas import MeDocument, NewName, PictureDocument, UserChangeDocument, UserDocument
from deployments.gym.pictures import PictureService
from deployments.http.auth import UserPrincipal
from deployments.http.dependencies import CurrentPrincipal, CurrentUser
from deployments.http.door_replies import ask_door
from deployments.http.etags import NoneMatch
from deployments.http.paging import Listing, PageQuery, listing
from deployments.http.pictures import (
    PICTURE_RESPONSES,
    PROBLEMS,
    UNCHANGING,
    Sha256,
    no_picture,
    upload_body,
)
from deployments.http.problems import ApiProblem, declared
from deployments.http.refusals import found, raise_on_refusal
from deployments.http.route_guard import guarded_router
from deployments.http.text import LINE
from deployments.http.uploads import PROBLEMS as UPLOAD_PROBLEMS
from deployments.identity.users import UserService
from domain.door.model import EndVisitRequest, Inferred
from domain.identity.model import Role, UserFilter, UserState
from domain.identity.ports import RoleAction
from domain.ids import new_id
from domain.images.model import ImagePrefix, Size
from integrations.kafka.messages import EndVisitCommand

me_router = guarded_router("identity")
users_router = guarded_router("identity")

_DELETION_PROBLEMS = ("unknown_user", "last_admin", "no_answer_in_time", "not_decided")


@me_router.get("/me", summary="Get my account", responses=declared("not_found"))
async def me(user: CurrentUser, deps: Deps) -> MeDocument:
    """Get my account."""
    row = await deps.identity(UserService.user, user.id)
    if row is None:
        raise ApiProblem("not_found", "This account was deleted.")
    return MeDocument.of(row, user.roles)


@me_router.patch("/me", summary="Change my account", responses=declared("unknown_user"))
async def change_me(new: NewName, user: CurrentUser, deps: Deps) -> MeDocument:
    """Change my name, as gates show it."""
    row = raise_on_refusal(await deps.identity(UserService.rename, user.id, new.name, user.id))
    return MeDocument.of(row, user.roles)


@me_router.delete("/me", summary="Delete my account", status_code=204, responses=declared(*_DELETION_PROBLEMS))
async def delete_me(user: CurrentUser, deps: Deps) -> Response:
    """Delete my account. Passes and sessions end at once; visits are kept without a name. This cannot be undone.

    After a 503 repeat the call: every step is idempotent.
    """
    await _delete_account(deps, user.id, user.id)
    return Response(status_code=204)


@me_router.get("/me/export", summary="Export my data")
async def export(user: CurrentUser, deps: Deps) -> dict[str, Any]:
    """Export all data that is stored about me, table by table."""
    return await deps.identity(UserService.export, user.id)


@me_router.put(
    "/me/picture",
    summary="Set my picture",
    responses=declared("unknown_user", *UPLOAD_PROBLEMS),
    openapi_extra=upload_body({}, raw=True),
)
async def set_picture(request: Request, user: CurrentUser, deps: Deps) -> PictureDocument:
    """Set my picture. Gates and staff see it."""
    async with deps.uploads.quarantined(request) as upload:
        address = raise_on_refusal(await deps.gym(PictureService.set, user.id, upload.key))
    return PictureDocument(picture_url=address)


@me_router.delete("/me/picture", summary="Remove my picture", status_code=204, responses=declared("unknown_user"))
async def remove_picture(user: CurrentUser, deps: Deps) -> Response:
    """Remove my picture. Idempotent."""
    raise_on_refusal(await deps.gym(PictureService.remove, user.id))
    return Response(status_code=204)


@me_router.get(
    "/pictures/{sha256}",
    summary="Get a member's picture",
    response_class=Response,
    responses=PICTURE_RESPONSES | declared(*PROBLEMS),
)
async def member_picture(
    sha256: Sha256, principal: CurrentPrincipal, deps: Deps, size: Size = Size.LARGE, if_none_match: NoneMatch = None
) -> Response:
    """Get a picture of a member. Only staff, devices and the member can see it."""
    is_member = isinstance(principal, UserPrincipal) and not principal.is_staff
    if is_member and await deps.gym(PictureService.picture_of, principal.id) != sha256:
        raise no_picture()
    return await deps.pictures.show(ImagePrefix.MEMBERS, sha256, size, UNCHANGING, if_none_match)


@users_router.get("/users", summary="List users")
async def users(
    deps: Deps,
    page: PageQuery,
    search: Annotated[
        str | None,
        Query(min_length=1, max_length=100, description="The beginning of an address, of a name or of a word in it."),
        LINE,
    ] = None,
    role: Annotated[Role | None, Query(description="Only users with this role.")] = None,
    state: UserState | None = None,
) -> Listing[UserDocument]:
    """List the users who have signed in at least once. The order is stable while users come and go."""
    filters = UserFilter(search, role, state)
    return listing(await deps.identity(UserService.users, filters, page), UserDocument.model_validate)


@users_router.get("/users/{user_id}", summary="Get a user", responses=declared("unknown_user"))
async def user(user_id: UUID, deps: Deps) -> UserDocument:
    """Get a user."""
    return UserDocument.model_validate(found(await deps.identity(UserService.user, user_id), "unknown_user"))


@users_router.delete(
    "/users/{user_id}", summary="Delete a user", status_code=204, responses=declared(*_DELETION_PROBLEMS)
)
async def delete_user(user_id: UUID, admin: CurrentUser, deps: Deps) -> Response:
    """Delete the account of a user, like `DELETE /me`. After a 503 repeat the call: every step is idempotent."""
    await _delete_account(deps, admin.id, user_id)
    return Response(status_code=204)


@users_router.get("/users/{user_id}/history", summary="List the changes of a user", responses=declared("unknown_user"))
async def history(user_id: UUID, deps: Deps, page: PageQuery) -> Listing[UserChangeDocument]:
    """List the changes of an account, newest first."""
    changes = raise_on_refusal(await deps.identity(UserService.history, user_id, page))
    return listing(changes, UserChangeDocument.model_validate)


@users_router.put("/users/{user_id}/roles/{role}", summary="Add a role to a user", responses=declared("unknown_user"))
async def give_role(user_id: UUID, role: Role, admin: CurrentUser, deps: Deps) -> UserDocument:
    """Give a role to a user. The user's next token has it; `POST /sessions/refresh` brings one."""
    by = admin.as_function_caller
    changed = raise_on_refusal(await deps.identity(UserService.change_role, by, user_id, role, RoleAction.ADD))
    return UserDocument.model_validate(changed)


@users_router.delete(
    "/users/{user_id}/roles/{role}",
    summary="Remove a role from a user",
    responses=declared("unknown_user", "last_admin"),
)
async def take_role(user_id: UUID, role: Role, admin: CurrentUser, deps: Deps) -> UserDocument:
    """Remove a role from a user. Takes effect within 5 s. The last admin keeps the role."""
    by = admin.as_function_caller
    changed = raise_on_refusal(await deps.identity(UserService.change_role, by, user_id, role, RoleAction.REMOVE))
    return UserDocument.model_validate(changed)


@users_router.post(
    "/users/{user_id}/disable", summary="Disable a user", responses=declared("unknown_user", "last_admin")
)
async def disable(user_id: UUID, admin: CurrentUser, deps: Deps) -> UserDocument:
    """Disable an account. Its sessions and passes are refused within 5 s. Idempotent."""
    changed = raise_on_refusal(await deps.identity(UserService.set_enabled, admin.id, user_id, False))  # noqa: FBT003 - crosses a handle
    return UserDocument.model_validate(changed)


@users_router.post("/users/{user_id}/enable", summary="Enable a user", responses=declared("unknown_user"))
async def enable(user_id: UUID, admin: CurrentUser, deps: Deps) -> UserDocument:
    """Enable a disabled account. Idempotent."""
    changed = raise_on_refusal(await deps.identity(UserService.set_enabled, admin.id, user_id, True))  # noqa: FBT003 - crosses a handle
    return UserDocument.model_validate(changed)


async def _delete_account(deps: Dependencies, by: UUID, user_id: UUID) -> None:
    """Delete an account: mark it, end an open visit at the door, erase the personal data. Each step is idempotent.

    Raises:
        ApiProblem: `unknown_user` or `last_admin`; `no_answer_in_time` or `unavailable`: repeat the call.
    """
    gym_id = raise_on_refusal(await deps.identity(UserService.begin_deleting, by, user_id))
    if gym_id is not None:
        now = deps.clock()
        end = EndVisitRequest(
            member_id=user_id,
            gym_id=gym_id,
            inferred=Inferred.ACCOUNT_DELETED,
            arrived_at=now,
            decide_by=now + timedelta(seconds=deps.settings.door.deadline_s),
        )
        command = EndVisitCommand(command_id=new_id(), reply_to=deps.replies.reply_to, end=end)
        await ask_door(deps, command, gym_id, end.decide_by, "end_visit_answer")
    await deps.identity(UserService.finish_deleting, user_id)
