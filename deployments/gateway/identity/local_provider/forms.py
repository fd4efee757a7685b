"""Reads the forms of the local provider's pages, and answers them with a page.

Every form carries the authorization request of the application. Whoever receives a form checks it again; a `sign_up_id`
or `reset_id` in it is worth nothing without its code.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from deployments.gateway.dependencies import Deps
from deployments.gateway.identity.local_provider.authorization_request import AuthorizationRequest
from deployments.gateway.identity.local_provider.html import Feedback, policy
from deployments.gateway.identity.local_provider.pages import refusal_page
from deployments.http.problems import ApiProblem
from deployments.http.refusals import problem_of
from deployments.http.request_body import RequestBody
from deployments.http.route_guard import GuardedRoute
from domain.identity.model import IdentityProblem, IdentityRefusal
from integrations.rendering.page_headers import is_own_page

Body = TypeVar("Body", bound=RequestBody)
Errors = Mapping[str, str]

_OK, _FORBIDDEN, _UNPROCESSABLE = 200, 403, 422
_INCOMPLETE = "This page is incomplete. Go back to the application and start again."
_FOREIGN = "Another site sent this form. Go back to the application and start again."
_ERRORS = {
    "email": "Enter an e-mail address, such as mia@example.org.",
    "name": "Enter your name: one line, at most 200 characters.",
    "password": "Enter a password of 12 to 128 characters.",
    "code": "Enter the code from the e-mail.",
}
_FIELD_OF = {IdentityProblem.WEAK_PASSWORD: "password", IdentityProblem.WRONG_CODE: "code"}


class PageRoute(GuardedRoute):
    """A route of a page. It shows problems as pages, and refuses the forms of other sites before it reads them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The guarded handler, wrapped for pages."""
        guarded = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if request.method == "POST" and not _is_own(request):
                return _refuse(_FOREIGN, _FORBIDDEN, {})
            try:
                return await guarded(request)
            except ApiProblem as problem:
                request.scope["state"]["problem_code"] = problem.code
                return _refuse(problem.detail, problem.status, problem.headers)

        return handle


def page_router() -> APIRouter:
    """Create a router for pages."""
    return APIRouter(tags=["identity"], route_class=PageRoute)


class PageForm(NamedTuple):
    """The query or form that a browser sent.

    Args:
        fields: all its fields.
        authorization: the request of the application among them.
        base: the path of the other pages, relative to this one.
    """

    fields: Mapping[str, str]
    authorization: AuthorizationRequest
    base: str

    def get(self, name: str) -> str:
        """The text of a field, to show it again."""
        return self.fields.get(name, "").strip()

    def read(self, kind: type[Body]) -> tuple[Body | None, Errors]:
        """Validate the fields like the body of an API call: the body, or None and the errors by field."""
        named = {name: value for name, value in self.fields.items() if name in kind.model_fields}
        try:
            return kind.model_validate_json(msgspec.json.encode(named)), {}
        except ValidationError as error:
            names = [str(next(iter(each["loc"]), "")) for each in error.errors(include_url=False, include_input=False)]
            return None, {name: _ERRORS.get(name, _INCOMPLETE) for name in names}

    def answer(
        self,
        page: Callable[..., str],
        *values: str,
        errors: Errors | None = None,
        refusal: IdentityRefusal | None = None,
        done: str = "",
    ) -> Response:
        """Answer with a page.

        Args:
            page: a function of `pages`.
            values: its arguments after the feedback.
            errors: the errors of the form; the status is 422.
            refusal: why the attempt failed, shown at its field or above the form; gives the status.
            done: what the attempt has done.
        """
        feedback, status = Feedback(errors or {}, done=done), _UNPROCESSABLE if errors else _OK
        headers = _headers(self.authorization.return_origin)
        if refusal is not None:
            problem, field = problem_of(refusal), _FIELD_OF.get(refusal.problem)
            status, headers = problem.status, {**problem.headers, **headers}
            feedback = Feedback({field: refusal.detail}) if field else Feedback({}, problem=refusal.detail)
        return HTMLResponse(page(self.authorization, feedback, *values), status, headers)


async def _page_form(request: Request, deps: Deps) -> PageForm:
    fields = await form_fields(request) if request.method == "POST" else dict(request.query_params)
    authorization = AuthorizationRequest.of(fields)
    if (error := authorization.error(deps.settings)) is not None:
        raise ApiProblem("malformed_request", error)
    return PageForm(fields, authorization, "../" if request.url.path.endswith("/oauth2/authorize") else "")


TheForm = Annotated[PageForm, Depends(_page_form)]


async def form_fields(request: Request) -> dict[str, str]:
    """Read the fields of an `application/x-www-form-urlencoded` body."""
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))


def incomplete() -> ApiProblem:
    """The problem of a form without the hidden fields that our pages put there."""
    return ApiProblem("malformed_request", _INCOMPLETE)


def _refuse(why: str, status: int, headers: Mapping[str, str]) -> Response:
    return HTMLResponse(refusal_page(why), status, {**headers, **_headers("")})


def _headers(return_origin: str) -> dict[str, str]:
    # With `no-referrer`, the policy of other responses, a browser sends forms with `Origin: null`.
    return {"Content-Security-Policy": policy(return_origin), "Referrer-Policy": "same-origin"}


def _is_own(request: Request) -> bool:
    headers = request.headers
    return is_own_page(
        headers.get("origin"),
        headers.get("sec-fetch-site"),
        headers.get("host", ""),
        request.app.state.dependencies.settings.api.public_url,
    )
