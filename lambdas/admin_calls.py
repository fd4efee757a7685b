"""What the two functions share that admins call: who calls, from which pool, and how they answer."""

import os
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from domain.identity.model import IdentityProblem, Role
from domain.identity.ports import Directory, FunctionCaller, ProviderAwayError
from integrations.cognito.client import LAMBDA_POLICY
from integrations.cognito.directory import CognitoDirectory

Answer = dict[str, Any]

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


class AnsweredError(Exception):
    """The call ends here with a problem.

    Args:
        code: stable.
        detail: what is wrong, and what would mend it.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def pool_directory(pool_id: str = "") -> Directory:
    """The directory of a pool; of the one that the environment names unless another is.

    Raises:
        KeyError: the environment names none.
    """
    endpoint_url = os.environ.get(ENDPOINT_VARIABLE, "")
    return CognitoDirectory(pool_id or os.environ[POOL_VARIABLE], endpoint_url=endpoint_url, policy=LAMBDA_POLICY)


def admin_of(event: Mapping[str, Any], directory: Directory) -> FunctionCaller:
    """The admin on whose behalf the function is called.

    What the authorizer has verified is the beginning: the pool is asked as well, because a token keeps its groups for
    an hour after they were taken.

    Raises:
        AnsweredError: it is nobody, or no admin.
    """
    caller = _caller(event)
    if caller is None:
        raise AnsweredError(IdentityProblem.NOT_ADMIN, "Nobody is named by the request.")
    account = directory.account(caller.sub) if Role.ADMIN in caller.groups else None
    if account is None or not account.enabled or Role.ADMIN not in account.groups:
        raise AnsweredError(IdentityProblem.NOT_ADMIN, "This takes the role Admin.")
    return caller


def answer(body: object, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """An answer as API Gateway takes it."""
    media_type = "application/json" if status is HTTPStatus.OK else "application/problem+json"
    return {
        "statusCode": int(status),
        "headers": {"Content-Type": media_type, "Cache-Control": "no-store"},
        "body": msgspec.json.encode(body).decode(),
    }


def problem(error: AnsweredError | ProviderAwayError, logger: Logger) -> Answer:
    """A problem as API Gateway takes it; one line in the log, without personal data."""
    if isinstance(error, ProviderAwayError):
        error = AnsweredError(UNAVAILABLE, "The user pool cannot be had for now. Try again in a moment.")
    status = _STATUS[error.code]
    logger.info("refused", extra={"code": error.code})
    body = {"status": int(status), "title": status.phrase, "code": error.code, "detail": error.detail}
    return answer(body, status)


def _caller(event: Mapping[str, Any]) -> FunctionCaller | None:
    asked = APIGatewayProxyEventV2(dict(event))
    try:
        claims = asked.request_context.authorizer.jwt_claim if asked.request_context.authorizer else {}
        return FunctionCaller(UUID(claims["sub"]), _groups(claims.get("cognito:groups")))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _groups(claim: object) -> tuple[str, ...]:
    """API Gateway writes a list of words as one word: `[Admin User]`."""
    if isinstance(claim, str):
        return tuple(claim.strip("[]").replace(",", " ").split())
    return tuple(str(group) for group in claim) if isinstance(claim, list) else ()
