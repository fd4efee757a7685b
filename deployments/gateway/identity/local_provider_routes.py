"""What Cognito serves to programs under its own address, served here by the local provider: keys and tokens.

Paths, parameters and errors are those of https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html;
not a part of the interface, hence not in its document. The pages are in `hosted_page_calls`.
"""

import asyncio
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from deployments.gateway.dependencies import OfParts, Parts
from deployments.http.dependencies import TheClient
from deployments.http.redirect_urls import may_return_to
from deployments.http.route_guard import guarded_router
from deployments.identity.sign_in import SignInService
from deployments.identity.signed_in import SignedIn
from domain.identity.model import Client, IdentityProblem, IdentityRefusal
from integrations.local_identity.keys import JWKS_FILE

FORMS = frozenset({"/identity/oauth2/token"})
"""The paths that take a form."""

_BAD = 400


def router() -> APIRouter:
    """The calls of the local provider."""
    routes = guarded_router("identity")

    @routes.get("/identity/.well-known/jwks.json", include_in_schema=False)
    async def keys(parts: OfParts) -> Response:
        """The public keys (RFC 7517)."""
        folder = parts.settings.identity.signing_key_dir
        assert folder is not None  # noqa: S101 - the local provider has one
        content = await asyncio.to_thread((folder / JWKS_FILE).read_bytes)
        return Response(content, media_type="application/json", headers={"Cache-Control": "public, max-age=60"})

    @routes.post("/identity/oauth2/token", include_in_schema=False)
    async def token(request: Request, parts: OfParts, client: TheClient) -> Response:
        """Tokens for a code, or for a refresh token (RFC 6749 sections 4.1.3 and 6)."""
        form = await _form_of(request)
        if form.get("client_id") != parts.settings.identity.client_id:
            return JSONResponse({"error": "invalid_client"}, _BAD)
        if form.get("grant_type") == "authorization_code":
            return _token_answer(await _exchanged(form, parts, client))
        if form.get("grant_type") == "refresh_token":
            return _token_answer(await parts.identity(SignInService.refresh, form.get("refresh_token", ""), client))
        return JSONResponse({"error": "unsupported_grant_type"}, _BAD)

    return routes


async def _form_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))


async def _exchanged(form: dict[str, str], parts: Parts, client: Client) -> SignedIn | IdentityRefusal:
    redirect_uri = form.get("redirect_uri", "")
    if not may_return_to(parts.settings, redirect_uri):
        return IdentityRefusal(IdentityProblem.WRONG_CODE, "The redirect_uri is not registered.")
    return await parts.identity(
        SignInService.sign_in_by_code, form.get("code", ""), redirect_uri, form.get("code_verifier"), client
    )


def _token_answer(answer: SignedIn | IdentityRefusal) -> Response:
    if isinstance(answer, IdentityRefusal):
        return JSONResponse({"error": "invalid_grant", "error_description": answer.detail}, _BAD)
    tokens = answer.tokens
    return JSONResponse(
        {
            "access_token": tokens.access_token,
            "id_token": tokens.id_token,
            "refresh_token": tokens.refresh_token,
            "token_type": "Bearer",
            "expires_in": tokens.expires_in,
        }
    )
