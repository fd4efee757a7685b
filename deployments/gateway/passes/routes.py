"""A member's passes, and the keys with which a door verifies passes offline."""

from datetime import timedelta
from typing import Annotated

from fastapi import Query, Response

from deployments.gateway.dependencies import Deps
from deployments.gateway.passes.schemas import PassDocument, PassesDocument, PassKey, PassKeysDocument
from deployments.http.dependencies import CurrentUser
from deployments.http.openapi import file_response
from deployments.http.route_guard import guarded_router
from deployments.qr.passes import ImageKind
from domain.passes import GOOD_AFTER, GOOD_BEFORE

me_router = guarded_router("passes")
door_router = guarded_router("passes")

_MOST_PASSES = 40


@me_router.get("/me/passes", summary="Get my passes")
async def passes(
    user: CurrentUser,
    deps: Deps,
    count: Annotated[
        int, Query(ge=1, le=_MOST_PASSES, description="Number of codes; there is a new code every 15 s.")
    ] = _MOST_PASSES,
) -> PassesDocument:
    """Get my current code and the codes that follow it, so that a phone without a network can still open a gate."""
    issued = await deps.qr.issue(user.id, count)
    return PassesDocument(items=[PassDocument.model_validate(one) for one in issued])


@me_router.get(
    "/me/pass.png", summary="Get my pass as PNG", response_class=Response, responses=file_response("image/png")
)
async def pass_png(user: CurrentUser, deps: Deps) -> Response:
    """Get my current code as a QR code in PNG."""
    return Response(await deps.qr.image(user.id, ImageKind.PNG), media_type="image/png")


@me_router.get(
    "/me/pass.svg", summary="Get my pass as SVG", response_class=Response, responses=file_response("image/svg+xml")
)
async def pass_svg(user: CurrentUser, deps: Deps) -> Response:
    """Get my current code as a QR code in SVG."""
    return Response(await deps.qr.image(user.id, ImageKind.SVG), media_type="image/svg+xml")


@door_router.get("/pass-keys", summary="Get the pass keys")
async def pass_keys(deps: Deps) -> PassKeysDocument:
    """Get what a door needs to verify passes offline. The keys rotate: repeat the call from time to time."""
    keys = await deps.qr.public_keys()
    return PassKeysDocument(
        keys=[PassKey(kid=key_id, x=key) for key_id, key in keys.items()],
        good_before_s=GOOD_BEFORE // timedelta(seconds=1),
        good_after_s=GOOD_AFTER // timedelta(seconds=1),
        most_admitted=deps.settings.door.max_offline_admissions,
    )
