"""What Cognito serves under its own domain, served here by the local provider: keys, tokens and the sign-in pages.

Paths, parameters and errors are those of https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html.
They are not part of the API, and not in its document. A page follows the same rules and counters as the API call that
does the same, such as `POST /sign-up`.
"""

import asyncio

from fastapi import Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from deployments.gateway.dependencies import Dependencies, Deps
from deployments.gateway.identity.device_cookies import remember_device
from deployments.gateway.identity.local_provider.forms import TheForm, form_fields, incomplete, page_router
from deployments.gateway.identity.local_provider.pages import (
    confirm_page,
    forgot_page,
    reset_page,
    sign_in_page,
    sign_up_page,
)
from deployments.gateway.identity.schemas import (
    AddressDocument,
    CodeRequest,
    Confirmation,
    Credentials,
    NewAccount,
    PasswordReset,
)
from deployments.http.dependencies import CurrentClient
from deployments.http.redirect_urls import registered_redirects
from deployments.http.route_guard import guarded_router
from deployments.identity.passwords import PasswordService
from deployments.identity.sign_in import SignInService
from deployments.identity.sign_up import SignUpService
from deployments.identity.signed_in import SignedIn
from domain.identity.model import Client, IdentityProblem, IdentityRefusal
from integrations.local_identity.keys import JWKS_FILE

_PAGES = ("login", "signup", "confirm", "resend", "forgotPassword", "confirmForgotPassword", "oauth2/authorize")
FORMS = frozenset(f"/identity/{name}" for name in ("oauth2/token", *_PAGES))
"""The paths that accept a form in place of JSON."""

router = guarded_router("identity")
pages = page_router()

_SEE_OTHER, _BAD_REQUEST = 303, 400


@router.get("/identity/.well-known/jwks.json", include_in_schema=False)
async def keys(deps: Deps) -> Response:
    """Get the public keys (RFC 7517)."""
    folder = deps.settings.identity.signing_key_dir
    assert folder is not None  # noqa: S101 - the settings of the local provider require it
    content = await asyncio.to_thread((folder / JWKS_FILE).read_bytes)
    return Response(content, media_type="application/json", headers={"Cache-Control": "public, max-age=60"})


@router.post("/identity/oauth2/token", include_in_schema=False)
async def token(request: Request, deps: Deps, client: CurrentClient) -> Response:
    """Exchange a code or a refresh token for tokens (RFC 6749 sections 4.1.3 and 6)."""
    form = await form_fields(request)
    if form.get("client_id") != deps.settings.identity.client_id:
        return JSONResponse({"error": "invalid_client"}, _BAD_REQUEST)
    if form.get("grant_type") == "authorization_code":
        return _token_response(await _exchange_code(form, deps, client))
    if form.get("grant_type") == "refresh_token":
        return _token_response(await deps.identity(SignInService.refresh, form.get("refresh_token", ""), client))
    return JSONResponse({"error": "unsupported_grant_type"}, _BAD_REQUEST)


async def _exchange_code(form: dict[str, str], deps: Dependencies, client: Client) -> SignedIn | IdentityRefusal:
    redirect_uri = form.get("redirect_uri", "")
    if redirect_uri not in registered_redirects(deps.settings):
        return IdentityRefusal(IdentityProblem.WRONG_CODE, "The redirect_uri is not registered.")
    code, verifier = form.get("code", ""), form.get("code_verifier")
    return await deps.identity(SignInService.sign_in_by_code, code, redirect_uri, verifier, client)


def _token_response(answer: SignedIn | IdentityRefusal) -> Response:
    if isinstance(answer, IdentityRefusal):
        return JSONResponse({"error": "invalid_grant", "error_description": answer.detail}, _BAD_REQUEST)
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


@pages.get("/identity/login", include_in_schema=False)
@pages.get("/identity/oauth2/authorize", include_in_schema=False)
async def login(form: TheForm) -> Response:
    """Show the sign-in page."""
    return form.answer(sign_in_page, "", form.base)


@pages.post("/identity/login", include_in_schema=False)
@pages.post("/identity/oauth2/authorize", include_in_schema=False)
async def sign_in(form: TheForm, deps: Deps, client: CurrentClient) -> Response:
    """Redirect to the application with a code if the password is right."""
    entered, request = form.get("email"), form.authorization
    sent, errors = form.read(Credentials)
    if sent is None:
        return form.answer(sign_in_page, entered, form.base, errors=errors)
    challenge = request.code_challenge or None
    authorized = await deps.identity(
        SignInService.authorize, sent.email, sent.password, request.redirect_uri, challenge, client
    )
    if isinstance(authorized, IdentityRefusal):
        return form.answer(sign_in_page, entered, form.base, refusal=authorized)
    response = RedirectResponse(request.redirect_with(authorized.code), _SEE_OTHER)
    remember_device(response, authorized.device_cookie, deps.settings)
    return response


@pages.get("/identity/signup", include_in_schema=False)
async def signup(form: TheForm) -> Response:
    """Show the sign-up page."""
    return form.answer(sign_up_page)


@pages.post("/identity/signup", include_in_schema=False)
async def sign_up(form: TheForm, deps: Deps, client: CurrentClient) -> Response:
    """Start a sign-up. The answer does not reveal whether the address has an account."""
    entered = form.get("email"), form.get("name")
    new, errors = form.read(NewAccount)
    if new is None:
        return form.answer(sign_up_page, *entered, errors=errors)
    opened = await deps.identity(SignUpService.sign_up, new.email, new.password, new.name, client)
    if isinstance(opened, IdentityRefusal):
        return form.answer(sign_up_page, *entered, refusal=opened)
    return form.answer(confirm_page, new.email, str(opened))


@pages.post("/identity/confirm", include_in_schema=False)
async def confirm(form: TheForm, deps: Deps, client: CurrentClient) -> Response:
    """Create the account of a sign-up with its code, then show the sign-in page."""
    entered = form.get("email"), form.get("sign_up_id")
    sent, errors = form.read(Confirmation)
    if errors.keys() - {"code"} or not entered[1]:
        raise incomplete()
    if sent is None:
        return form.answer(confirm_page, *entered, errors=errors)
    done = await deps.identity(SignUpService.confirm, sent.email, sent.code, client, sign_up_id=sent.sign_up_id)
    if isinstance(done, IdentityRefusal):
        return form.answer(confirm_page, *entered, refusal=done)
    return form.answer(sign_in_page, sent.email, done="Your account is ready. Sign in.")


@pages.post("/identity/resend", include_in_schema=False)
async def resend(form: TheForm, deps: Deps, client: CurrentClient) -> Response:
    """Send a new code for a sign-up."""
    to, _ = form.read(CodeRequest)
    if to is None or to.sign_up_id is None:
        raise incomplete()
    entered = to.email, str(to.sign_up_id)
    done = await deps.identity(SignUpService.resend_code, to.email, client, sign_up_id=to.sign_up_id)
    if isinstance(done, IdentityRefusal):
        return form.answer(confirm_page, *entered, refusal=done)
    return form.answer(confirm_page, *entered, done="We have sent a new code.")


@pages.get("/identity/forgotPassword", include_in_schema=False)
async def forgotten(form: TheForm) -> Response:
    """Show the page for a forgotten password."""
    return form.answer(forgot_page)


@pages.post("/identity/forgotPassword", include_in_schema=False)
async def forgot(form: TheForm, deps: Deps, client: CurrentClient) -> Response:
    """Start a password reset. The answer does not reveal whether the address has an account."""
    entered = form.get("email")
    to, errors = form.read(AddressDocument)
    if to is None:
        return form.answer(forgot_page, entered, errors=errors)
    opened = await deps.identity(PasswordService.forgot, to.email, client)
    if isinstance(opened, IdentityRefusal):
        return form.answer(forgot_page, entered, refusal=opened)
    return form.answer(reset_page, to.email, str(opened))


@pages.post("/identity/confirmForgotPassword", include_in_schema=False)
async def reset(form: TheForm, deps: Deps, client: CurrentClient) -> Response:
    """Set a new password with the code of a reset, then show the sign-in page."""
    entered = form.get("email"), form.get("reset_id")
    new, errors = form.read(PasswordReset)
    if errors.keys() - {"code", "password"} or not entered[1]:
        raise incomplete()
    if new is None:
        return form.answer(reset_page, *entered, errors=errors)
    done = await deps.identity(PasswordService.reset, new.email, new.code, new.password, client, reset_id=new.reset_id)
    if isinstance(done, IdentityRefusal):
        return form.answer(reset_page, *entered, refusal=done)
    response = form.answer(sign_in_page, new.email, done="Your password is changed. Sign in.")
    remember_device(response, done, deps.settings)
    return response
