"""Pictures of members, by which staff recognise them."""

from fastapi import APIRouter, Request, Response

from deployments.gateway.dependencies import OfParts
from deployments.gateway.machines.schemas import PictureDocument
from deployments.gym.pictures import PictureService
from deployments.http.auth import UserAsker
from deployments.http.dependencies import TheUser, WhoeverAsks
from deployments.http.pictures import (
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


def router() -> APIRouter:
    """The calls about members' pictures."""
    routes = guarded_router("me")

    @routes.put(
        "/me/picture",
        responses=declared("unknown_user", *UPLOAD_PROBLEMS),
        openapi_extra=upload_body({}, raw=True),
    )
    async def set_picture(request: Request, user: TheUser, parts: OfParts) -> PictureDocument:
        """Give myself a picture; gates and staff see it."""
        async with parts.uploads.quarantined(request) as upload:
            address = granted(await parts.gym(PictureService.set, user.id, upload.key))
        return PictureDocument(picture_url=address)

    @routes.delete("/me/picture", status_code=204, responses=declared("unknown_user"))
    async def remove_picture(user: TheUser, parts: OfParts) -> Response:
        """Be shown without a picture. Once more changes nothing."""
        granted(await parts.gym(PictureService.remove, user.id))
        return Response(status_code=204)

    @routes.get("/pictures/{sha256}", response_class=Response, responses={**shown(), **declared(*PROBLEMS)})
    async def named(
        sha256: Sha256, asker: WhoeverAsks, parts: OfParts, size: Size = Size.LARGE, if_none_match: NoneMatch = None
    ) -> Response:
        """A member's picture: for staff, gates, and the member. To others there is none."""
        is_members = isinstance(asker, UserAsker) and not asker.is_staff
        if is_members and await parts.gym(PictureService.picture_of, asker.id) != sha256:
            raise no_picture()
        return await parts.pictures.show(Shelf.MEMBERS, sha256, size, UNCHANGING, if_none_match)

    return routes
