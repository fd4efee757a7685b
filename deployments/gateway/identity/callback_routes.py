"""Signing in on the provider's own page: authorization code with PKCE (RFC 6749 section 4.1, RFC 7636)."""

import secrets
from hmac import compare_digest
from typing import Annotated

from fastapi import APIRouter, Cookie, Query, Response
from fastapi.responses import JSONResponse, RedirectResponse

from deployments.gateway.dependencies import OfParts
from deployments.gateway.identity.schemas import SessionTokens
from deployments.gateway.identity.session_routes import SIGN_IN_PROBLEMS
from deployments.http.dependencies import TheClient
from deployments.http.problems import ApiProblem, Fault, declared
from deployments.http.redirect_urls import CALLBACK, callback_of
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router
from deployments.identity.sign_in import SignInService
from domain.identity.pkce import challenge_of

_COOKIE = "fm_authorize"
_LIVES_S = 600
_FOUND = 302


def router() -> APIRouter:
    """The calls about the provider's own page."""
    routes = guarded_router("session")

    @routes.get("/sessions/authorize", status_code=_FOUND, response_class=Response)
    async def authorize(parts: OfParts) -> Response:
        """Go to the provider's sign-in page; it comes back to `/sessions/callback`."""
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        settings = parts.settings.api
        page = await parts.identity(SignInService.authorize_url, callback_of(settings), state, challenge_of(verifier))
        answer = RedirectResponse(page, _FOUND)
        # The verifier is the browser's own secret: whoever steals the code elsewhere has no use for it.
        answer.set_cookie(
            _COOKIE,
            f"{state}.{verifier}",
            max_age=_LIVES_S,
            path=CALLBACK,
            secure=settings.public_url.startswith("https:"),
            httponly=True,
            samesite="lax",
        )
        return answer

    @routes.get("/sessions/callback", response_model=SessionTokens, responses=declared("wrong_code", *SIGN_IN_PROBLEMS))
    async def callback(
        parts: OfParts,
        client: TheClient,
        code: Annotated[str, Query(pattern="^[!-~]{1,1024}$")],
        state: Annotated[str, Query(pattern="^[A-Za-z0-9_-]{1,128}$")],
        begun: Annotated[str | None, Cookie(alias=_COOKIE, include_in_schema=False)] = None,
    ) -> Response:
        """Where the provider's page comes back to, in the browser that went there. A second use ends the session."""
        expected, _, verifier = (begun or "").partition(".")
        if not verifier or not compare_digest(expected.encode(), state.encode()):
            raise ApiProblem(
                "invalid_request",
                "This sign-in was not begun in this browser, or too long ago. Begin at /api/sessions/authorize.",
                faults=[Fault("state", "is not the one that was given out")],
            )
        signed_in = await parts.identity(
            SignInService.sign_in_by_code, code, callback_of(parts.settings.api), verifier, client
        )
        answer = JSONResponse(SessionTokens.of(granted(signed_in)).model_dump(mode="json"))
        answer.delete_cookie(_COOKIE, path=CALLBACK)
        return answer

    return routes
