"""The local provider's sign-in page, under the paths of Cognito's hosted page and of its authorization endpoint."""

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from deployments.gateway.dependencies import OfParts, Parts
from deployments.gateway.identity.device_cookies import remember_device
from deployments.gateway.identity.pages.forms import UNPROCESSABLE, Sent, TheSent, answer_page, page_router
from deployments.gateway.identity.pages.pages import sign_in_page
from deployments.gateway.identity.schemas import Credentials
from deployments.http.dependencies import TheClient
from deployments.identity.sign_in import SignInService
from domain.identity.model import Client, IdentityRefusal

_SEE_OTHER = 303
_ABOVE = "../"  # the other pages, seen from `oauth2/authorize`


def router() -> APIRouter:
    """The page and its form."""
    routes = page_router()

    @routes.get("/identity/login", include_in_schema=False)
    async def login(sent: TheSent) -> Response:
        """The sign-in page."""
        return answer_page(sent.asked, sign_in_page(sent.asked))

    @routes.get("/identity/oauth2/authorize", include_in_schema=False)
    async def authorize(sent: TheSent) -> Response:
        """The same page."""
        return answer_page(sent.asked, sign_in_page(sent.asked, base=_ABOVE))

    @routes.post("/identity/login", include_in_schema=False)
    async def sign_in(sent: TheSent, parts: OfParts, client: TheClient) -> Response:
        """Lead back to the application with a code when the password is right."""
        return await _signed_in(sent, parts, client)

    @routes.post("/identity/oauth2/authorize", include_in_schema=False)
    async def sign_in_at_authorize(sent: TheSent, parts: OfParts, client: TheClient) -> Response:
        """The same."""
        return await _signed_in(sent, parts, client, base=_ABOVE)

    return routes


async def _signed_in(sent: Sent, parts: Parts, client: Client, base: str = "") -> Response:
    """The one place where a page signs somebody in: what a browser brings of earlier sign-ins is handed over here."""
    asked, entered = sent.asked, sent.get("email")
    shown, errors = sent.read(Credentials)
    if shown is None:
        return answer_page(asked, sign_in_page(asked, entered, base=base, errors=errors), UNPROCESSABLE)
    authorized = await parts.identity(
        SignInService.authorize, shown.email, shown.password, asked.redirect_uri, asked.code_challenge or None, client
    )
    if isinstance(authorized, IdentityRefusal):
        page = sign_in_page(asked, entered, base=base, wrong=authorized.detail)
        return answer_page(asked, page, refusal=authorized)
    answer = RedirectResponse(asked.back(authorized.code), _SEE_OTHER)
    remember_device(answer, authorized.device_cookie, parts.settings)
    return answer
