"""Passwords that were forgotten, or are to be changed."""

from fastapi import APIRouter, Request, Response

from deployments.gateway.dependencies import OfParts
from deployments.gateway.identity.device_cookies import remember_device
from deployments.gateway.identity.schemas import AddressDocument, PasswordChange, PasswordReset, ResetOpened
from deployments.http.dependencies import TheClient, TheUser
from deployments.http.problems import declared
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router
from deployments.identity.passwords import PasswordService

_DONE = 204


def router() -> APIRouter:
    """The calls about passwords."""
    routes = guarded_router("session")

    @routes.post("/password/forgot", status_code=202, responses=declared("too_many_attempts"))
    async def forgot(to: AddressDocument, parts: OfParts, client: TheClient) -> ResetOpened:
        """Send a code to set a new password with. The answer does not tell whether there is an account."""
        reset_id = granted(await parts.identity(PasswordService.forgot, to.email, client))
        return ResetOpened(email=to.email, reset_id=reset_id)

    @routes.post(
        "/password/reset", status_code=_DONE, responses=declared("wrong_code", "weak_password", "too_many_attempts")
    )
    async def reset(wanted: PasswordReset, parts: OfParts, client: TheClient) -> Response:
        """Set a new password by the code that was sent. Ends all sessions.

        Without `reset_id` the code is compared with every open reset of the account.
        """
        cookie = granted(
            await parts.identity(
                PasswordService.reset,
                wanted.email,
                wanted.code,
                wanted.password,
                client,
                reset_id=wanted.reset_id,
            )
        )
        answer = Response(status_code=_DONE)
        remember_device(answer, cookie, parts.settings)
        return answer

    @routes.post(
        "/password/change",
        status_code=_DONE,
        responses=declared("wrong_credentials", "session_over", "weak_password", "too_many_attempts"),
    )
    async def change(
        wanted: PasswordChange, request: Request, user: TheUser, parts: OfParts, client: TheClient
    ) -> Response:
        """Change my password. Ends my other sessions."""
        token = request.headers["authorization"].split()[1]
        cookie = granted(
            await parts.identity(
                PasswordService.change,
                user.id,
                user.session_id,
                token,
                wanted.old_password,
                wanted.new_password,
                client,
            )
        )
        answer = Response(status_code=_DONE)
        remember_device(answer, cookie, parts.settings)
        return answer

    return routes
