"""Signing in and out, and where one is signed in."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Response

from deployments.gateway.dependencies import OfParts
from deployments.gateway.identity.device_cookies import remember_device
from deployments.gateway.identity.schemas import Credentials, Refresh, SessionDocument, SessionTokens, SignOut
from deployments.http.dependencies import TheClient, TheUser
from deployments.http.paging import Asked, Listing, listing
from deployments.http.problems import declared
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router
from deployments.identity.sessions import SessionService
from deployments.identity.sign_in import SignInService

_DONE = 204
SIGN_IN_PROBLEMS = ("session_over", "account_disabled", "email_in_use")


def router() -> APIRouter:
    """The calls about sessions."""
    routes = guarded_router("session")

    @routes.post(
        "/sessions",
        status_code=201,
        responses=declared(
            "wrong_credentials", "not_confirmed", "new_password_needed", "too_many_attempts", *SIGN_IN_PROBLEMS
        ),
    )
    async def sign_in(shown: Credentials, answer: Response, parts: OfParts, client: TheClient) -> SessionTokens:
        """Sign in. After some wrong tries each further one has to wait, longer each time.

        The answer sets the cookie `fm_device`. A device that sends it back has tries of its own at the next sign-in
        and does not wait for the wrong tries of others. It signs nobody in.
        """
        signed_in = granted(await parts.identity(SignInService.sign_in, shown.email, shown.password, client))
        remember_device(answer, signed_in.device_cookie, parts.settings)
        return SessionTokens.of(signed_in)

    @routes.post("/sessions/refresh", responses=declared(*SIGN_IN_PROBLEMS))
    async def refresh(shown: Refresh, parts: OfParts, client: TheClient) -> SessionTokens:
        """Go on with a session. Use the refresh token of the answer from then on.

        A spent one gets the same answer from the same device for 10 s, until the new one is used; otherwise it ends the
        session, access tokens included, everywhere within 5 s.
        """
        return SessionTokens.of(granted(await parts.identity(SignInService.refresh, shown.refresh_token, client)))

    @routes.delete("/sessions/current", status_code=_DONE)
    async def sign_out(user: TheUser, parts: OfParts, also: Annotated[SignOut | None, Body()] = None) -> Response:
        """Sign out here; the access token is refused everywhere within 5 s."""
        refresh_token = also.refresh_token if also else None
        await parts.identity(SignInService.sign_out, user.id, user.session_id, refresh_token)
        return Response(status_code=_DONE)

    @routes.get("/me/sessions")
    async def sessions(user: TheUser, parts: OfParts, asked: Asked) -> Listing[SessionDocument]:
        """Where I am signed in, newest first."""
        page = await parts.identity(SessionService.sessions, user.id, asked)
        return listing(page, lambda session: SessionDocument.of(session, user.session_id))

    @routes.delete("/me/sessions", status_code=_DONE)
    async def sign_out_everywhere(user: TheUser, parts: OfParts) -> Response:
        """Sign out on every device, this one too."""
        await parts.identity(SignInService.sign_out_everywhere, user.id)
        return Response(status_code=_DONE)

    @routes.delete("/me/sessions/{session_id}", status_code=_DONE, responses=declared("unknown_session"))
    async def end_session(session_id: UUID, user: TheUser, parts: OfParts) -> Response:
        """Sign out on one device. Once more changes nothing."""
        granted(await parts.identity(SessionService.end, user.id, session_id))
        return Response(status_code=_DONE)

    return routes
