"""Signing up."""

from fastapi import APIRouter, Request, Response

from deployments.gateway.dependencies import OfParts
from deployments.gateway.identity.schemas import AddressDocument, CodeRequest, Confirmation, NewAccount, SignUpOpened
from deployments.http.dependencies import TheClient
from deployments.http.idempotency import PROBLEMS, IdempotencyKey, once_of_anyone
from deployments.http.problems import declared
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router
from deployments.identity.sign_up import SignUpService

_DONE = 204


def router() -> APIRouter:
    """The calls about signing up."""
    routes = guarded_router("session")

    @routes.post("/sign-up", status_code=202, responses=declared("weak_password", "too_many_attempts", *PROBLEMS))
    async def sign_up(
        wanted: NewAccount,
        parts: OfParts,
        client: TheClient,
        request: Request,
        response: Response,
        key: IdempotencyKey = None,
    ) -> SignUpOpened:
        """Open a sign-up; a code is sent to the address. The answer is the same where there is an account already.

        An account exists once the code is entered. Confirm with the `sign_up_id` of the answer: the code of somebody
        else's sign-up with the same address is refused then. An `Idempotency-Key` counts for this address and network.
        """
        once = await once_of_anyone(request, response, key, f"{client.network} {wanted.email}")
        opened = await once(parts.identity, SignUpService.sign_up, wanted.email, wanted.password, wanted.name, client)
        return SignUpOpened(email=wanted.email, sign_up_id=granted(opened))

    @routes.post("/sign-up/confirm", status_code=_DONE, responses=declared("wrong_code", "too_many_attempts"))
    async def confirm(shown: Confirmation, parts: OfParts, client: TheClient) -> Response:
        """Make the account of a sign-up by the code that was sent.

        Without `sign_up_id` the code is compared with every open sign-up of the address. A wrong code gets the same
        answer whether there is an open sign-up, an account, or neither.
        """
        granted(
            await parts.identity(SignUpService.confirm, shown.email, shown.code, client, sign_up_id=shown.sign_up_id)
        )
        return Response(status_code=_DONE)

    @routes.post("/sign-up/resend", status_code=202, responses=declared("too_many_attempts"))
    async def resend(to: CodeRequest, parts: OfParts, client: TheClient) -> AddressDocument:
        """Send another code, if there is a sign-up that waits for one."""
        granted(await parts.identity(SignUpService.resend_code, to.email, client, sign_up_id=to.sign_up_id))
        return AddressDocument(email=to.email)

    return routes
