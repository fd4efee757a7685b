"""Users, as staff and admins see them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from deployments.gateway.dependencies import OfParts, Parts
from deployments.gateway.identity.account_deletion import delete_account
from deployments.gateway.identity.schemas import UserChangeDocument, UserDocument
from deployments.http.dependencies import TheUser
from deployments.http.paging import Asked, Listing, listing
from deployments.http.problems import ApiProblem, declared
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router
from deployments.http.text import LINE
from deployments.identity.users import UserService
from domain.identity.model import Role, UserFilter, UserState
from domain.identity.ports import RoleAction

_DONE = 204


def router() -> APIRouter:
    """The calls about users."""
    routes = guarded_router("users")

    @routes.get("/users")
    async def users(
        parts: OfParts,
        asked: Asked,
        search: Annotated[
            str | None,
            Query(min_length=1, max_length=100, description="How an address, a name or a word of it begins."),
            LINE,
        ] = None,
        role: Annotated[Role | None, Query(description="Those who were given this role.")] = None,
        state: UserState | None = None,
    ) -> Listing[UserDocument]:
        """All who have signed in once, in an order that stays while users come and go."""
        wanted = UserFilter(search, role, state)
        return listing(await parts.identity(UserService.users, wanted, asked), UserDocument.of)

    @routes.get("/users/{user_id}", responses=declared("unknown_user"))
    async def user(user_id: UUID, parts: OfParts) -> UserDocument:
        """One user."""
        found = await parts.identity(UserService.user, user_id)
        if found is None:
            raise ApiProblem("unknown_user", "There is no such user.")
        return UserDocument.of(found)

    @routes.delete(
        "/users/{user_id}",
        status_code=_DONE,
        responses=declared("unknown_user", "last_admin", "no_answer_in_time", "not_decided"),
    )
    async def delete_user(user_id: UUID, asker: TheUser, parts: OfParts) -> Response:
        """Delete an account as its owner could. After a 503 ask again: each step may be repeated."""
        await delete_account(parts, asker.id, user_id)
        return Response(status_code=_DONE)

    @routes.get("/users/{user_id}/history", responses=declared("unknown_user"))
    async def history(user_id: UUID, parts: OfParts, asked: Asked) -> Listing[UserChangeDocument]:
        """What was done to an account, newest first."""
        page = granted(await parts.identity(UserService.history, user_id, asked))
        return listing(page, UserChangeDocument.model_validate)

    @routes.put("/users/{user_id}/roles/{role}", responses=declared("unknown_user"))
    async def give_role(user_id: UUID, role: Role, asker: TheUser, parts: OfParts) -> UserDocument:
        """Give a role. It counts from the user's next token on, which `POST /sessions/refresh` brings."""
        return await _change_role(parts, asker, user_id, role, RoleAction.ADD)

    @routes.delete("/users/{user_id}/roles/{role}", responses=declared("unknown_user", "last_admin"))
    async def take_role(user_id: UUID, role: Role, asker: TheUser, parts: OfParts) -> UserDocument:
        """Take a role; everywhere within 5 s. Not the last admin's."""
        return await _change_role(parts, asker, user_id, role, RoleAction.REMOVE)

    @routes.post("/users/{user_id}/disable", responses=declared("unknown_user", "last_admin"))
    async def disable(user_id: UUID, asker: TheUser, parts: OfParts) -> UserDocument:
        """Disable an account: its sessions and passes are refused within 5 s. Once more changes nothing."""
        return UserDocument.of(granted(await parts.identity(UserService.set_enabled, asker.id, user_id, False)))  # noqa: FBT003 - a handle's call

    @routes.post("/users/{user_id}/enable", responses=declared("unknown_user"))
    async def enable(user_id: UUID, asker: TheUser, parts: OfParts) -> UserDocument:
        """Enable an account again. Once more changes nothing."""
        return UserDocument.of(granted(await parts.identity(UserService.set_enabled, asker.id, user_id, True)))  # noqa: FBT003 - a handle's call

    return routes


async def _change_role(parts: Parts, asker: TheUser, user_id: UUID, role: Role, action: RoleAction) -> UserDocument:
    by = asker.as_function_caller
    return UserDocument.of(granted(await parts.identity(UserService.change_role, by, user_id, role, action)))
