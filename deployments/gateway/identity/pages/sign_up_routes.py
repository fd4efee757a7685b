"""The local provider's pages that make an account: the same calls, rules and counters as `POST /sign-up` and on."""

from fastapi import APIRouter, Response

from deployments.gateway.dependencies import OfParts, Parts
from deployments.gateway.identity.pages.forms import UNPROCESSABLE, Sent, TheSent, answer_page, page_router, stale, told
from deployments.gateway.identity.pages.pages import confirm_page, sign_in_page, sign_up_page
from deployments.gateway.identity.schemas import CodeRequest, Confirmation, NewAccount
from deployments.http.dependencies import TheClient
from deployments.identity.sign_up import SignUpService
from domain.identity.model import Client, IdentityRefusal


def router() -> APIRouter:
    """The pages and their forms."""
    routes = page_router()

    @routes.get("/identity/signup", include_in_schema=False)
    async def signup(sent: TheSent) -> Response:
        """The page that begins a sign-up."""
        return answer_page(sent.asked, sign_up_page(sent.asked))

    @routes.post("/identity/signup", include_in_schema=False)
    async def sign_up(sent: TheSent, parts: OfParts, client: TheClient) -> Response:
        """Open a sign-up and ask for its code; the same whether or not the address has an account."""
        asked, entered = sent.asked, (sent.get("email"), sent.get("name"))
        wanted, errors = sent.read(NewAccount)
        if wanted is None:
            return answer_page(asked, sign_up_page(asked, *entered, errors=errors), UNPROCESSABLE)
        opened = await parts.identity(SignUpService.sign_up, wanted.email, wanted.password, wanted.name, client)
        if isinstance(opened, IdentityRefusal):
            errors, wrong = told(opened)
            return answer_page(asked, sign_up_page(asked, *entered, errors=errors, wrong=wrong), refusal=opened)
        return answer_page(asked, confirm_page(asked, wanted.email, str(opened)))

    @routes.post("/identity/confirm", include_in_schema=False)
    async def confirm(sent: TheSent, parts: OfParts, client: TheClient) -> Response:
        """Make the account of a sign-up by its code; then its owner signs in."""
        return await _confirmed(sent, parts, client)

    @routes.post("/identity/resend", include_in_schema=False)
    async def resend(sent: TheSent, parts: OfParts, client: TheClient) -> Response:
        """Send another code of a sign-up."""
        asked = sent.asked
        to, _ = sent.read(CodeRequest)
        if to is None or to.sign_up_id is None:
            raise stale()
        entered = to.email, str(to.sign_up_id)
        done = await parts.identity(SignUpService.resend_code, to.email, client, sign_up_id=to.sign_up_id)
        if isinstance(done, IdentityRefusal):
            return answer_page(asked, confirm_page(asked, *entered, wrong=done.detail), refusal=done)
        return answer_page(asked, confirm_page(asked, *entered, done="Another code is on its way."))

    return routes


async def _confirmed(sent: Sent, parts: Parts, client: Client) -> Response:
    asked, entered = sent.asked, (sent.get("email"), sent.get("sign_up_id"))
    shown, errors = sent.read(Confirmation)
    if errors.keys() - {"code"} or not entered[1]:
        raise stale()
    if shown is None:
        return answer_page(asked, confirm_page(asked, *entered, errors=errors), UNPROCESSABLE)
    done = await parts.identity(SignUpService.confirm, shown.email, shown.code, client, sign_up_id=shown.sign_up_id)
    if isinstance(done, IdentityRefusal):
        errors, wrong = told(done)
        return answer_page(asked, confirm_page(asked, *entered, errors=errors, wrong=wrong), refusal=done)
    return answer_page(asked, sign_in_page(asked, shown.email, done="Your account is ready. Sign in."))
