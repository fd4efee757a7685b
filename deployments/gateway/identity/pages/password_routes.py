"""The local provider's pages for a forgotten password: the calls, rules and counters of `POST /password/forgot`."""

from fastapi import APIRouter, Response

from deployments.gateway.dependencies import OfParts
from deployments.gateway.identity.device_cookies import remember_device
from deployments.gateway.identity.pages.forms import UNPROCESSABLE, TheSent, answer_page, page_router, stale, told
from deployments.gateway.identity.pages.pages import forgot_page, reset_page, sign_in_page
from deployments.gateway.identity.schemas import AddressDocument, PasswordReset
from deployments.http.dependencies import TheClient
from deployments.identity.passwords import PasswordService
from domain.identity.model import IdentityRefusal


def router() -> APIRouter:
    """The pages and their forms."""
    routes = page_router()

    @routes.get("/identity/forgotPassword", include_in_schema=False)
    async def forgotten(sent: TheSent) -> Response:
        """The page that sends a code."""
        return answer_page(sent.asked, forgot_page(sent.asked))

    @routes.post("/identity/forgotPassword", include_in_schema=False)
    async def forgot(sent: TheSent, parts: OfParts, client: TheClient) -> Response:
        """Open a reset and ask for its code; the same whether or not the address has an account."""
        asked, entered = sent.asked, sent.get("email")
        to, errors = sent.read(AddressDocument)
        if to is None:
            return answer_page(asked, forgot_page(asked, entered, errors=errors), UNPROCESSABLE)
        opened = await parts.identity(PasswordService.forgot, to.email, client)
        if isinstance(opened, IdentityRefusal):
            return answer_page(asked, forgot_page(asked, entered, wrong=opened.detail), refusal=opened)
        return answer_page(asked, reset_page(asked, to.email, str(opened)))

    @routes.post("/identity/confirmForgotPassword", include_in_schema=False)
    async def reset(sent: TheSent, parts: OfParts, client: TheClient) -> Response:
        """Set a new password by the code of a reset; then its owner signs in."""
        asked, entered = sent.asked, (sent.get("email"), sent.get("reset_id"))
        wanted, errors = sent.read(PasswordReset)
        if errors.keys() - {"code", "password"} or not entered[1]:
            raise stale()
        if wanted is None:
            return answer_page(asked, reset_page(asked, *entered, errors=errors), UNPROCESSABLE)
        done = await parts.identity(
            PasswordService.reset, wanted.email, wanted.code, wanted.password, client, reset_id=wanted.reset_id
        )
        if isinstance(done, IdentityRefusal):
            errors, wrong = told(done)
            return answer_page(asked, reset_page(asked, *entered, errors=errors, wrong=wrong), refusal=done)
        answer = answer_page(asked, sign_in_page(asked, wanted.email, done="Your password is changed. Sign in."))
        remember_device(answer, done, parts.settings)
        return answer

    return routes
