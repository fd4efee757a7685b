"""Signing up."""

from fastapi import APIRouter, Response

from deployments.gateway.guard import guarded_router
from deployments.gateway.idempotency import PROBLEMS, OnceOnly
from deployments.gateway.identity_documents import AddressDocument, Confirmation, NewAccount
from deployments.gateway.parts import OfParts, TheClient
from deployments.gateway.problems import declared
from deployments.gateway.refusals import granted
from deployments.identity.desk import IdentityDesk

_DONE = 204


def router() -> APIRouter:
    """The calls about signing up."""
    routes = guarded_router("session")

    @routes.post("/sign-up", status_code=202, responses=declared("weak_password", "too_many_attempts", *PROBLEMS))
    async def sign_up(wanted: NewAccount, parts: OfParts, client: TheClient, once: OnceOnly) -> AddressDocument:
        """Make an account; a code is sent to the address. The answer is the same where there is one already."""
        made = await once(parts.identity, IdentityDesk.sign_up, wanted.email, wanted.password, wanted.name, client)
        granted(made)
        return AddressDocument(email=wanted.email)

    @routes.post("/sign-up/confirm", status_code=_DONE, responses=declared("wrong_code", "too_many_attempts"))
    async def confirm(shown: Confirmation, parts: OfParts, client: TheClient) -> Response:
        """Confirm an account by the code that was sent."""
        granted(await parts.identity(IdentityDesk.confirm_sign_up, shown.email, shown.code, client))
        return Response(status_code=_DONE)

    @routes.post("/sign-up/resend", status_code=202, responses=declared("too_many_attempts"))
    async def resend(to: AddressDocument, parts: OfParts, client: TheClient) -> AddressDocument:
        """Send the code again, if there is an account that waits for it."""
        granted(await parts.identity(IdentityDesk.resend_code, to.email, client))
        return to

    return routes
