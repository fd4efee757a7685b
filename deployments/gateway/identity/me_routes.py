"""What members ask about themselves."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from deployments.gateway.dependencies import OfParts
from deployments.gateway.identity.account_deletion import delete_account
from deployments.gateway.identity.schemas import NewName, sorted_roles
from deployments.gateway.schemas import MeDocument, PassDocument, PassesDocument, VisitDocument
from deployments.gym.door_records import DoorRecordService
from deployments.http.auth import UserAsker
from deployments.http.dependencies import TheUser
from deployments.http.paging import Asked, Listing, listing
from deployments.http.problems import ApiProblem, declared
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router
from deployments.identity.users import UserService
from deployments.qr.passes import ImageKind
from domain.identity.model import User

MOST_PASSES = 40
_IMAGE = {"schema": {"type": "string", "format": "binary"}}


def router() -> APIRouter:
    """The calls about oneself."""
    routes = guarded_router("me")

    @routes.get("/me", responses=declared("not_found"))
    async def me(user: TheUser, parts: OfParts) -> MeDocument:
        """Who I am here."""
        row = await parts.identity(UserService.user, user.id)
        if row is None:
            raise ApiProblem("not_found", "This account was deleted.")
        return _me(row, user)

    @routes.patch("/me", responses=declared("unknown_user"))
    async def change_me(wanted: NewName, user: TheUser, parts: OfParts) -> MeDocument:
        """Change my name, as it is shown at the gates."""
        return _me(granted(await parts.identity(UserService.rename, user.id, wanted.name, user.id)), user)

    @routes.delete(
        "/me",
        status_code=204,
        responses=declared("unknown_user", "last_admin", "no_answer_in_time", "not_decided"),
    )
    async def delete_me(user: TheUser, parts: OfParts) -> Response:
        """Delete my account: passes and sessions end at once, visits stay without a name. It cannot be undone.

        After a 503 ask again: each step may be repeated.
        """
        await delete_account(parts, user.id, user.id)
        return Response(status_code=204)

    @routes.get("/me/export")
    async def export(user: TheUser, parts: OfParts) -> dict[str, Any]:
        """Everything that is kept of me, table by table."""
        return await parts.identity(UserService.export, user.id)

    @routes.get("/me/passes")
    async def passes(
        user: TheUser,
        parts: OfParts,
        count: Annotated[int, Query(ge=1, le=MOST_PASSES, description="How many codes, a new one every 15 s.")] = 40,
    ) -> PassesDocument:
        """My present code and the next ones, so that a phone without a network still opens a gate."""
        issued = await parts.qr.issue(user.id, count)
        return PassesDocument(items=[PassDocument.model_validate(one) for one in issued])

    @routes.get("/me/pass.png", response_class=Response, responses={200: {"content": {"image/png": _IMAGE}}})
    async def pass_png(user: TheUser, parts: OfParts) -> Response:
        """My present code as a QR picture."""
        return Response(await parts.qr.image(user.id, ImageKind.PNG), media_type="image/png")

    @routes.get("/me/pass.svg", response_class=Response, responses={200: {"content": {"image/svg+xml": _IMAGE}}})
    async def pass_svg(user: TheUser, parts: OfParts) -> Response:
        """My present code as a QR drawing."""
        return Response(await parts.qr.image(user.id, ImageKind.SVG), media_type="image/svg+xml")

    @routes.get("/me/visits")
    async def visits(user: TheUser, parts: OfParts, asked: Asked) -> Listing[VisitDocument]:
        """My visits, newest first."""
        return listing(await parts.gym(DoorRecordService.visits, user.id, asked), VisitDocument.model_validate)

    return routes


def _me(row: User, user: UserAsker) -> MeDocument:
    return MeDocument(
        id=row.id,
        email=row.email,
        name=row.name,
        picture_url=row.picture_url,
        roles=sorted_roles(user.roles),
        created_at=row.created_at,
    )
