"""Sign-up, sign-in, sessions and passwords."""

import secrets
from hmac import compare_digest
from typing import Annotated
from uuid import UUID

from fastapi import Body, Cookie, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from deployments.gateway.dependencies import Deps
from deployments.gateway.identity.device_cookies import remember_device
from deployments.gateway.identity.schemas import (
    AddressDocument,
    CodeRequest,
    Confirmation,
    Credentials,
    NewAccount,
    PasswordChange,
    PasswordReset,
    Refresh,
    ResetOpened,
    SessionDocument,
    SessionTokens,
    SignOut,
    SignUpOpened,
)
from deployments.http.dependencies import CurrentClient, CurrentUser
from deployments.http.idempotency import PROBLEMS as KEY_PROBLEMS
from deployments.http.idempotency import IdempotencyKey, once_for_public_call
from deployments.http.paging import Listing, PageQuery, listing
from deployments.http.problems import ApiProblem, Fault, declared
from deployments.http.redirect_urls import CALLBACK, callback_of
from deployments.http.refusals import raise_on_refusal
from deployments.http.route_guard import guarded_router
from deployments.identity.passwords import PasswordService
from deployments.identity.sessions import SessionService
from deployments.identity.sign_in import SignInService
from deployments.identity.sign_up import SignUpService
from domain.identity.pkce import challenge_of

router = guarded_router("identity")

_SIGN_IN_PROBLEMS = ("session_over", "account_disabled", "email_in_use")
_PKCE_COOKIE = "fm_authorize"
_PKCE_COOKIE_LIFETIME_S = 600
_FOUND = 302


@router.post(
    "/sign-up",
    summary="Start a sign-up",
    status_code=202,
    responses=declared("weak_password", "too_many_attempts", *KEY_PROBLEMS),
)
async def sign_up(
    new: NewAccount,
    deps: Deps,
    client: CurrentClient,
    request: Request,
    response: Response,
    key: IdempotencyKey = None,
) -> SignUpOpened:
    """Start a sign-up: a code is sent to the address. The answer does not reveal whether the address has an account.

    The account exists once the code is entered. Confirm with the `sign_up_id` of the answer, so that the code of
    another sign-up with the same address is refused. An `Idempotency-Key` is bound to the address and the network.
    """
    once = await once_for_public_call(request, response, key, f"{client.network} {new.email}")
    opened = await once(deps.identity, SignUpService.sign_up, new.email, new.password, new.name, client)
    return SignUpOpened(email=new.email, sign_up_id=raise_on_refusal(opened))


@router.post(
    "/sign-up/confirm",
    summary="Confirm a sign-up",
    status_code=204,
    responses=declared("wrong_code", "too_many_attempts"),
)
async def confirm(sent: Confirmation, deps: Deps, client: CurrentClient) -> Response:
    """Create the account of a sign-up with the code from the e-mail.

    Without `sign_up_id` the code is compared with every open sign-up of the address. The answer to a wrong code does
    not reveal whether the address has an open sign-up or an account.
    """
    raise_on_refusal(
        await deps.identity(SignUpService.confirm, sent.email, sent.code, client, sign_up_id=sent.sign_up_id)
    )
    return Response(status_code=204)


@router.post(
    "/sign-up/resend", summary="Resend the sign-up code", status_code=202, responses=declared("too_many_attempts")
)
async def resend(to: CodeRequest, deps: Deps, client: CurrentClient) -> AddressDocument:
    """Send a new code, if the address has an open sign-up."""
    raise_on_refusal(await deps.identity(SignUpService.resend_code, to.email, client, sign_up_id=to.sign_up_id))
    return AddressDocument(email=to.email)


@router.post(
    "/sessions",
    summary="Sign in",
    status_code=201,
    responses=declared(
        "wrong_credentials", "not_confirmed", "new_password_needed", "too_many_attempts", *_SIGN_IN_PROBLEMS
    ),
)
async def sign_in(sent: Credentials, response: Response, deps: Deps, client: CurrentClient) -> SessionTokens:
    """Sign in. After several failed attempts every further attempt has to wait, longer each time.

    The response sets the cookie `fm_device`. The failed attempts of other devices do not delay a device that sends this
    cookie with its next sign-in. The cookie signs nobody in.
    """
    signed_in = raise_on_refusal(await deps.identity(SignInService.sign_in, sent.email, sent.password, client))
    remember_device(response, signed_in.device_cookie, deps.settings)
    return SessionTokens.of(signed_in)


@router.post("/sessions/refresh", summary="Refresh a session", responses=declared(*_SIGN_IN_PROBLEMS))
async def refresh(sent: Refresh, deps: Deps, client: CurrentClient) -> SessionTokens:
    """Refresh the tokens of a session. Use the refresh token of the answer from then on.

    For 10 s the same device gets the same answer to a used refresh token, until the new one is used. After that a used
    refresh token ends the session, and its access tokens are refused everywhere within 5 s.
    """
    return SessionTokens.of(raise_on_refusal(await deps.identity(SignInService.refresh, sent.refresh_token, client)))


@router.get("/sessions/authorize", summary="Redirect to the sign-in page", status_code=_FOUND, response_class=Response)
async def authorize(deps: Deps) -> Response:
    """Redirect to the sign-in page of the identity provider, which redirects back to `/sessions/callback`.

    The authorization code flow with PKCE (RFC 6749 section 4.1, RFC 7636).
    """
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    api = deps.settings.api
    page = await deps.identity(SignInService.authorize_url, callback_of(api), state, challenge_of(verifier))
    response = RedirectResponse(page, _FOUND)
    # Only this browser has the verifier: a stolen code is useless without it.
    response.set_cookie(
        _PKCE_COOKIE,
        f"{state}.{verifier}",
        max_age=_PKCE_COOKIE_LIFETIME_S,
        path=CALLBACK,
        secure=api.public_url.startswith("https:"),
        httponly=True,
        samesite="lax",
    )
    return response


@router.get(
    "/sessions/callback",
    summary="Finish a sign-in",
    response_model=SessionTokens,
    responses=declared("wrong_code", *_SIGN_IN_PROBLEMS),
)
async def callback(
    deps: Deps,
    client: CurrentClient,
    code: Annotated[str, Query(pattern="^[!-~]{1,1024}$")],
    state: Annotated[str, Query(pattern="^[A-Za-z0-9_-]{1,128}$")],
    begun: Annotated[str | None, Cookie(alias=_PKCE_COOKIE, include_in_schema=False)] = None,
) -> Response:
    """Sign in with the code of the identity provider, in the browser that started. A second use ends the session."""
    expected, _, verifier = (begun or "").partition(".")
    if not verifier or not compare_digest(expected.encode(), state.encode()):
        raise ApiProblem(
            "invalid_request",
            "This browser did not start this sign-in, or started it too long ago. Start at /api/sessions/authorize.",
            faults=[Fault("state", "does not match the sign-in of this browser")],
        )
    redirect_uri = callback_of(deps.settings.api)
    signed_in = await deps.identity(SignInService.sign_in_by_code, code, redirect_uri, verifier, client)
    response = JSONResponse(SessionTokens.of(raise_on_refusal(signed_in)).model_dump(mode="json"))
    response.delete_cookie(_PKCE_COOKIE, path=CALLBACK)
    return response


@router.delete("/sessions/current", summary="Sign out", status_code=204)
async def sign_out(user: CurrentUser, deps: Deps, also: Annotated[SignOut | None, Body()] = None) -> Response:
    """Sign out of this session. Its access token is refused everywhere within 5 s."""
    refresh_token = also.refresh_token if also else None
    await deps.identity(SignInService.sign_out, user.id, user.session_id, refresh_token)
    return Response(status_code=204)


@router.get("/me/sessions", summary="List my sessions")
async def sessions(user: CurrentUser, deps: Deps, page: PageQuery) -> Listing[SessionDocument]:
    """List my sessions, newest first."""
    found = await deps.identity(SessionService.sessions, user.id, page)
    return listing(found, lambda session: SessionDocument.of(session, user.session_id))


@router.delete("/me/sessions", summary="End all my sessions", status_code=204)
async def sign_out_everywhere(user: CurrentUser, deps: Deps) -> Response:
    """End all my sessions, including this one."""
    await deps.identity(SignInService.sign_out_everywhere, user.id)
    return Response(status_code=204)


@router.delete(
    "/me/sessions/{session_id}",
    summary="End one of my sessions",
    status_code=204,
    responses=declared("unknown_session"),
)
async def end_session(session_id: UUID, user: CurrentUser, deps: Deps) -> Response:
    """End one of my sessions. Idempotent."""
    raise_on_refusal(await deps.identity(SessionService.end, user.id, session_id))
    return Response(status_code=204)


@router.post(
    "/password/forgot", summary="Request a password reset", status_code=202, responses=declared("too_many_attempts")
)
async def forgot(to: AddressDocument, deps: Deps, client: CurrentClient) -> ResetOpened:
    """Send a code to set a new password with. The answer does not reveal whether the address has an account."""
    reset_id = raise_on_refusal(await deps.identity(PasswordService.forgot, to.email, client))
    return ResetOpened(email=to.email, reset_id=reset_id)


@router.post(
    "/password/reset",
    summary="Reset a password",
    status_code=204,
    responses=declared("wrong_code", "weak_password", "too_many_attempts"),
)
async def reset(new: PasswordReset, deps: Deps, client: CurrentClient) -> Response:
    """Set a new password with the code from the e-mail. Ends all sessions of the account.

    Without `reset_id` the code is compared with every open reset of the account.
    """
    done = await deps.identity(PasswordService.reset, new.email, new.code, new.password, client, reset_id=new.reset_id)
    response = Response(status_code=204)
    remember_device(response, raise_on_refusal(done), deps.settings)
    return response


@router.post(
    "/password/change",
    summary="Change my password",
    status_code=204,
    responses=declared("wrong_credentials", "session_over", "weak_password", "too_many_attempts"),
)
async def change(
    new: PasswordChange, request: Request, user: CurrentUser, deps: Deps, client: CurrentClient
) -> Response:
    """Change my password. Ends my other sessions."""
    token = request.headers["authorization"].split()[1]
    passwords = new.old_password, new.new_password
    done = await deps.identity(PasswordService.change, user.id, user.session_id, token, *passwords, client)
    response = Response(status_code=204)
    remember_device(response, raise_on_refusal(done), deps.settings)
    return response
