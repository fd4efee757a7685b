"""What Cognito serves under its own address, served here by the local provider: keys, a sign-in page, tokens.

Paths, parameters and errors are those of https://docs.aws.amazon.com/cognito/latest/developerguide/authorization-endpoint.html
and its token endpoint; not a part of the interface, hence not in its document.
"""

import asyncio
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from deployments.gateway.device_cookies import remember_device
from deployments.gateway.guard import guarded_router
from deployments.gateway.parts import OfParts, TheClient
from deployments.gateway.problem_kinds import KINDS
from deployments.gateway.sign_in_page import policy, refusal_page, sign_in_form
from deployments.identity.desk import IdentityDesk
from domain.identity.model import IdentityRefusal, Tokens
from integrations.local_identity.keys import JWKS_FILE
from integrations.settings import Settings

FORMS = frozenset({"/identity/oauth2/authorize", "/identity/oauth2/token"})
"""The paths that take a form."""

_BAD, _SEE_OTHER = 400, 303


class _Asked(msgspec.Struct, frozen=True):
    """What an application sends a browser here with."""

    client_id: str = ""
    redirect_uri: str = ""
    response_type: str = ""
    state: str = ""
    code_challenge: str = ""
    code_challenge_method: str = ""

    def wrong(self, settings: Settings) -> str | None:
        """Why it is not done, if so."""
        if self.client_id != settings.identity.client_id:
            return "The application that sent you here is not known (client_id)."
        if not _may_return_to(settings, self.redirect_uri):
            return "The application that sent you here is not known (redirect_uri)."
        if self.response_type != "code":
            return "Only response_type=code is served."
        if self.code_challenge_method not in {"", "S256"} or bool(self.code_challenge) != bool(
            self.code_challenge_method
        ):
            return "A code_challenge is one of S256."
        return None

    def back(self, code: str) -> str:
        """Where the browser goes with a code."""
        given = urlencode({"code": code} | ({"state": self.state} if self.state else {}))
        return f"{self.redirect_uri}{'&' if urlsplit(self.redirect_uri).query else '?'}{given}"


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

    @routes.get("/identity/oauth2/authorize", include_in_schema=False)
    async def page(request: Request, parts: OfParts) -> Response:
        """The sign-in page."""
        asked = msgspec.convert(dict(request.query_params), _Asked)
        wrong = asked.wrong(parts.settings)
        return _refused(wrong) if wrong else _form(asked)

    @routes.post("/identity/oauth2/authorize", include_in_schema=False)
    async def sign_in(request: Request, parts: OfParts, client: TheClient) -> Response:
        """The page's form; leads back with a code when the password is right."""
        form = await _form_of(request)
        asked = msgspec.convert(form, _Asked)
        wrong = asked.wrong(parts.settings)
        if wrong:
            return _refused(wrong)
        email = form.get("email", "").strip().lower()
        authorized = await parts.identity(
            IdentityDesk.authorize,
            email,
            form.get("password", ""),
            asked.redirect_uri,
            asked.code_challenge or None,
            client,
        )
        if isinstance(authorized, IdentityRefusal):
            return _form(asked, email, authorized)
        answer = RedirectResponse(asked.back(authorized.code), _SEE_OTHER)
        remember_device(answer, authorized.device_cookie, parts.settings)
        return answer

    @routes.post("/identity/oauth2/token", include_in_schema=False)
    async def token(request: Request, parts: OfParts, client: TheClient) -> Response:
        """Tokens for a code, or for a refresh token (RFC 6749 sections 4.1.3 and 6)."""
        form = await _form_of(request)
        if form.get("client_id") != parts.settings.identity.client_id:
            return JSONResponse({"error": "invalid_client"}, _BAD)
        answer: Tokens | IdentityRefusal
        if form.get("grant_type") == "authorization_code":
            shown = form.get("code", ""), form.get("redirect_uri", ""), form.get("code_verifier")
            answer = await parts.identity(IdentityDesk.exchange_code, *shown)
        elif form.get("grant_type") == "refresh_token":
            refreshed = await parts.identity(IdentityDesk.refresh, form.get("refresh_token", ""), client)
            answer = refreshed if isinstance(refreshed, IdentityRefusal) else refreshed.tokens
        else:
            return JSONResponse({"error": "unsupported_grant_type"}, _BAD)
        return _token_answer(answer)

    return routes


def _refused(why: str) -> Response:
    return HTMLResponse(refusal_page(why), _BAD, {"Content-Security-Policy": policy()})


def _form(asked: _Asked, email: str = "", refusal: IdentityRefusal | None = None) -> Response:
    hidden = {name: value for name, value in msgspec.structs.asdict(asked).items() if value}
    page = sign_in_form(hidden, email, refusal.detail if refusal else "")
    headers = {"Content-Security-Policy": policy(_origin(asked.redirect_uri))}
    if refusal and refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    return HTMLResponse(page, KINDS[refusal.problem.value].status if refusal else 200, headers)


async def _form_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))


def _may_return_to(settings: Settings, uri: str) -> bool:
    return "#" not in uri and _origin(uri) in {settings.api.public_url, *settings.api.allowed_origins}


def _origin(uri: str) -> str:
    try:
        target = urlsplit(uri)
    except ValueError:
        return ""
    return f"{target.scheme}://{target.netloc}"


def _token_answer(tokens: Tokens | IdentityRefusal) -> Response:
    if isinstance(tokens, IdentityRefusal):
        return JSONResponse({"error": "invalid_grant", "error_description": tokens.detail}, _BAD)
    return JSONResponse(
        {
            "access_token": tokens.access_token,
            "id_token": tokens.id_token,
            "refresh_token": tokens.refresh_token,
            "token_type": "Bearer",
            "expires_in": tokens.expires_in,
        }
    )
