"""What the calls of the local provider's pages share: how a form is read, and how a page is answered.

Each form carries the application's request with it. What a form carries is checked anew by whoever receives it; a
`sign_up_id` or `reset_id` is worth what its code is.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from deployments.gateway.dependencies import OfParts
from deployments.gateway.identity.authorization_request import AuthorizationRequest
from deployments.gateway.identity.pages.layout import policy
from deployments.gateway.identity.pages.pages import refusal_page
from deployments.http.problem_kinds import KINDS
from deployments.http.problems import ApiProblem
from deployments.http.request_body import RequestBody
from deployments.http.route_guard import GuardedRoute
from domain.identity.model import IdentityProblem, IdentityRefusal
from integrations.rendering.page_headers import is_own_page

FORMS = frozenset(
    f"/identity/{name}"
    for name in ("login", "signup", "confirm", "resend", "forgotPassword", "confirmForgotPassword", "oauth2/authorize")
)
"""The paths that take a form of a page."""
UNPROCESSABLE = 422

Body = TypeVar("Body", bound=RequestBody)
Errors = Mapping[str, str]

_OK, _BAD, _FORBIDDEN = 200, 400, 403
_STALE = "This page is no longer complete. Go back to the application and begin again."
_FOREIGN = "This form was not sent by a page of ours. Go back to the application and begin again."
_ERRORS = {
    "email": "Enter an e-mail address, as in mia@example.org.",
    "name": "Enter your name: one line, at most 200 characters.",
    "password": "Enter a password of 12 to 128 characters.",
    "code": "Enter the code from the mail.",
}
_FIELD_OF = {IdentityProblem.WEAK_PASSWORD: "password", IdentityProblem.WRONG_CODE: "code"}


class PageRoute(GuardedRoute):
    """A page, or a form of one: problems are pages too, and a form of another site is refused before it is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The guarded handler, within what pages need."""
        guarded = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if request.method == "POST" and not _is_own(request):
                return _refused(_FOREIGN, _FORBIDDEN)
            try:
                return await guarded(request)
            except ApiProblem as problem:
                request.scope["state"]["problem_code"] = problem.code
                return _refused(problem.detail, problem.status, problem.headers)

        return handle


def page_router() -> APIRouter:
    """A router of pages."""
    return APIRouter(tags=["identity"], route_class=PageRoute)


class Sent(NamedTuple):
    """What a browser sent: a page's query or form, with the application's request in it."""

    fields: Mapping[str, str]
    asked: AuthorizationRequest

    def get(self, name: str) -> str:
        """A field as it was entered, for the next page to show."""
        return self.fields.get(name, "").strip()

    def read(self, kind: type[Body]) -> tuple[Body | None, Errors]:
        """The fields by the rules that the API has for them; else what is wrong, by field."""
        named = {name: value for name, value in self.fields.items() if name in kind.model_fields}
        try:
            return kind.model_validate_json(msgspec.json.encode(named)), {}
        except ValidationError as error:
            names = [str(next(iter(each["loc"]), "")) for each in error.errors(include_url=False, include_input=False)]
            return None, {name: _ERRORS.get(name, _STALE) for name in names}


async def _sent(request: Request, parts: OfParts) -> Sent:
    fields = dict(request.query_params)
    if request.method == "POST":
        fields = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
    asked = AuthorizationRequest.of(fields)
    if (why := asked.wrong(parts.settings)) is not None:
        raise ApiProblem("malformed_request", why)
    return Sent(fields, asked)


TheSent = Annotated[Sent, Depends(_sent)]


def stale() -> ApiProblem:
    """A form lacks what every form of ours carries."""
    return ApiProblem("malformed_request", _STALE)


def told(refusal: IdentityRefusal) -> tuple[Errors, str]:
    """Where a refusal is shown: at its field, or above the form."""
    field = _FIELD_OF.get(refusal.problem)
    return ({field: refusal.detail}, "") if field else ({}, refusal.detail)


def answer_page(
    asked: AuthorizationRequest, content: str, status: int = _OK, *, refusal: IdentityRefusal | None = None
) -> Response:
    """A page.

    Args:
        asked: by the application to which its form may lead.
        content: HTML.
        status: of the answer.
        refusal: which it shows; gives the answer its own status.
    """
    headers = _headers(asked.return_origin)
    if refusal is not None:
        status = KINDS[refusal.problem.value].status
        if refusal.retry_after_s is not None:
            headers["Retry-After"] = str(refusal.retry_after_s)
    return HTMLResponse(content, status, headers)


def _refused(why: str, status: int = _BAD, headers: Mapping[str, str] | None = None) -> Response:
    return HTMLResponse(refusal_page(why), status, {**(headers or {}), **_headers("")})


def _headers(return_origin: str) -> dict[str, str]:
    # By `no-referrer`, which other answers have, a browser would send these forms with `Origin: null`.
    return {"Content-Security-Policy": policy(return_origin), "Referrer-Policy": "same-origin"}


def _is_own(request: Request) -> bool:
    headers = request.headers
    return is_own_page(
        headers.get("origin"),
        headers.get("sec-fetch-site"),
        headers.get("host", ""),
        request.app.state.parts.settings.api.public_url,
    )
