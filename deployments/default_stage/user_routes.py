"""Sign-in by a code, and users with their groups, in the existing web client's format."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from deployments.default_stage.dependencies import StageDeps
from deployments.http.dependencies import CurrentClient, CurrentUser
from deployments.http.refusals import raise_on_refusal
from deployments.http.request_body import RequestBody
from deployments.http.route_guard import guarded_router
from deployments.identity.users import UserService
from domain.identity.model import Role
from domain.identity.ports import RoleAction

_AT_ONCE = 1000


class TokenDocument(BaseModel):
    """The provider's token response as a JSON string, and the roles that it gives."""

    token: str
    roles: list[str]


class ListedUser(BaseModel):
    """An account of the user pool."""

    sub: UUID
    email: str
    groups: list[str]


class GroupChange(RequestBody):
    """A change of a user's group. `userId` is the `sub` of the identity provider."""

    userId: UUID  # noqa: N815 - the client's word
    groupName: Role  # noqa: N815 - the client's word
    action: RoleAction


def router() -> APIRouter:
    """The routes."""
    routes = guarded_router("identity")

    @routes.get("/api/token/get", summary="Exchange a code for tokens", response_model=TokenDocument)
    async def token(
        deps: StageDeps,
        client: CurrentClient,
        code: Annotated[str, Query(pattern="^[!-~]{1,1024}$")],
        origin: Annotated[str | None, Header(include_in_schema=False)] = None,
    ) -> Response | TokenDocument:
        """Exchange a code of the sign-in page for tokens. For one minute the same code gets the same tokens."""
        answer = await deps.codes.of(code, client, origin)
        if answer is None:
            return PlainTextResponse("The code is not known, or was used. Sign in again.", 400)
        return TokenDocument(token=answer.token, roles=answer.roles)

    @routes.get("/GetAllUsers", summary="List users")
    async def users(user: CurrentUser, deps: StageDeps) -> list[ListedUser]:
        """List all accounts with their groups."""
        by = user.as_function_caller
        found: list[ListedUser] = []
        after = None
        while True:
            page = raise_on_refusal(await deps.identity(UserService.list_accounts, by, _AT_ONCE, after))
            found += [ListedUser(sub=one.sub, email=one.email or "", groups=list(one.groups)) for one in page.items]
            after = page.next
            if after is None:
                return found

    @routes.post("/AddUserToGroup", summary="Add a user to a group, or remove one")
    async def change_group(change: GroupChange, user: CurrentUser, deps: StageDeps) -> GroupChange:
        """Add a user to a group, or remove the user from it."""
        by = user.as_function_caller
        raise_on_refusal(
            await deps.identity(UserService.change_role, by, change.userId, change.groupName, change.action)
        )
        return change

    return routes
