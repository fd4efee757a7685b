"""Requests and responses of the Lambda functions `list_users` and `change_role`.

The event is that of API Gateway (HTTP API, payload 2.0) with a JWT authorizer. API Gateway and the Identity deployment
therefore call the same functions in the same way.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from domain.identity.model import IdentityProblem, IdentityRefusal
from domain.identity.ports import Account, AccountPage, FunctionCaller, ProviderUnavailableError

_STATUS_OK = 200


class AccountItem(msgspec.Struct, frozen=True):
    """An account in a response of the functions."""

    id: UUID
    email: str | None
    name: str
    enabled: bool
    confirmed: bool
    created_at: datetime
    groups: tuple[str, ...]

    @classmethod
    def of(cls, account: Account) -> "AccountItem":
        """Convert an account."""
        return cls(
            account.sub,
            account.email,
            account.name,
            account.enabled,
            account.confirmed,
            account.created_at,
            account.groups,
        )

    def account(self) -> Account:
        """Convert to an account."""
        return Account(
            sub=self.id,
            email=self.email,
            name=self.name,
            enabled=self.enabled,
            confirmed=self.confirmed,
            created_at=self.created_at,
            groups=self.groups,
        )


class AccountItems(msgspec.Struct, frozen=True):
    """A page of accounts in the response of `list_users`."""

    items: list[AccountItem]
    next: str | None


class _Problem(msgspec.Struct, frozen=True):
    code: str
    detail: str


class _Response(msgspec.Struct, frozen=True):
    body: str
    status: int = msgspec.field(name="statusCode")


def function_event(
    caller: FunctionCaller, method: str, path: str, query: Mapping[str, str] | None = None, body: object = None
) -> dict[str, Any]:
    """The event of a call on behalf of a user."""
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "queryStringParameters": dict(query or {}),
        "requestContext": {
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "", "userAgent": ""},
            "requestId": "",
            "routeKey": f"{method} {path}",
            "stage": "$default",
            "authorizer": {
                "jwt": {"claims": {"sub": str(caller.sub), "cognito:groups": list(caller.groups)}, "scopes": None}
            },
        },
        "body": None if body is None else msgspec.json.encode(body).decode(),
        "isBase64Encoded": False,
    }


def read_page(answer: object) -> AccountPage | IdentityRefusal:
    """Parse the response of `list_users`."""
    body = _body(answer)
    if isinstance(body, IdentityRefusal):
        return body
    page = msgspec.json.decode(body, type=AccountItems)
    return AccountPage(tuple(item.account() for item in page.items), page.next)


def read_account(answer: object) -> Account | IdentityRefusal:
    """Parse the response of `change_role`."""
    body = _body(answer)
    return body if isinstance(body, IdentityRefusal) else msgspec.json.decode(body, type=AccountItem).account()


def _body(answer: object) -> str | IdentityRefusal:
    try:
        read = msgspec.convert(answer, _Response)
        if read.status == _STATUS_OK:
            return read.body
        problem = msgspec.json.decode(read.body, type=_Problem)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise ProviderUnavailableError("Service unavailable: a Lambda function returned an invalid response") from error
    try:
        return IdentityRefusal(IdentityProblem(problem.code), problem.detail)
    except ValueError as error:
        raise ProviderUnavailableError(
            f"Service unavailable: a Lambda function refused the call ({problem.code})"
        ) from error
