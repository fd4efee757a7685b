"""Shared by the two functions that admins call: checks the caller, opens the user pool, builds the response."""

import os
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from domain.identity.model import IdentityProblem, Role
from domain.identity.ports import Directory, FunctionCaller, ProviderUnavailableError
from integrations.cognito.client import LAMBDA_POLICY
from integrations.cognito.directory import CognitoDirectory

Response = dict[str, Any]

POOL_VARIABLE = "FITMONITOR_USER_POOL_ID"
ENDPOINT_VARIABLE = "FITMONITOR_COGNITO_ENDPOINT_URL"
INVALID_REQUEST = "invalid_request"
UNAVAILABLE = "unavailable"
_STATUS: Mapping[str, HTTPStatus] = {
    IdentityProblem.NOT_ADMIN: HTTPStatus.FORBIDDEN,
    IdentityProblem.UNKNOWN_USER: HTTPStatus.NOT_FOUND,
    IdentityProblem.LAST_ADMIN: HTTPStatus.CONFLICT,
    INVALID_REQUEST: HTTPStatus.UNPROCESSABLE_ENTITY,
    UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}


class ProblemError(Exception):
    """The call ends with a problem response.

    Args:
        code: the stable code.
        detail: what is wrong, and how to resolve it.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def pool_directory(pool_id: str = "") -> Directory:
    """The directory of a user pool.

    Args:
        pool_id: of the pool (default: the environment's).

    Raises:
        KeyError: no pool is named.
    """
    endpoint_url = os.environ.get(ENDPOINT_VARIABLE, "")
    return CognitoDirectory(pool_id or os.environ[POOL_VARIABLE], endpoint_url=endpoint_url, policy=LAMBDA_POLICY)


def admin_of(event: Mapping[str, Any], directory: Directory) -> FunctionCaller:
    """The admin who calls the function.

    The authorizer has verified the token. The user pool is checked, too, because a token keeps its groups for an hour
    after they were removed.

    Raises:
        ProblemError: the caller is unknown, or not an admin.
    """
    caller = _caller(event)
    if caller is None:
        raise ProblemError(IdentityProblem.NOT_ADMIN, "The request has no authenticated user. Send an access token.")
    account = directory.account(caller.sub) if Role.ADMIN in caller.groups else None
    if account is None or not account.enabled or Role.ADMIN not in account.groups:
        raise ProblemError(IdentityProblem.NOT_ADMIN, "Permission denied. The role Admin is required.")
    return caller


def response(body: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """A response in the format of API Gateway."""
    media_type = "application/json" if status is HTTPStatus.OK else "application/problem+json"
    return {
        "statusCode": int(status),
        "headers": {"Content-Type": media_type, "Cache-Control": "no-store"},
        "body": msgspec.json.encode(body).decode(),
    }


def problem(error: ProblemError | ProviderUnavailableError, logger: Logger) -> Response:
    """A problem response in the format of API Gateway, and a log line without personal data."""
    if isinstance(error, ProviderUnavailableError):
        error = ProblemError(UNAVAILABLE, "The user pool is unavailable. Try again in a moment.")
    status = _STATUS[error.code]
    logger.info("refused", extra={"code": error.code})
    body = {"status": int(status), "title": status.phrase, "code": error.code, "detail": error.detail}
    return response(body, status)


def _caller(event: Mapping[str, Any]) -> FunctionCaller | None:
    request = APIGatewayProxyEventV2(dict(event))
    try:
        claims = request.request_context.authorizer.jwt_claim if request.request_context.authorizer else {}
        return FunctionCaller(UUID(claims["sub"]), _groups(claims.get("cognito:groups")))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _groups(claim: object) -> tuple[str, ...]:
    """The groups of a token. API Gateway sends a list as one string: `[Admin User]`."""
    if isinstance(claim, str):
        return tuple(claim.strip("[]").replace(",", " ").split())
    return tuple(str(group) for group in claim) if isinstance(claim, list) else ()
