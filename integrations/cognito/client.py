"""A client of Cognito, and what its refusals mean. Light to import: the Lambda functions start with it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from domain.identity.addresses import normal_address_or_none
from domain.identity.model import IdentityProblem, IdentityRefusal
from domain.identity.ports import Account, ProviderAwayError

# Adaptive: Cognito answers too many questions with a refusal, and is then asked more slowly by the client itself.
_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "adaptive", "total_max_attempts": 5})

WRONG = IdentityRefusal(IdentityProblem.WRONG_CREDENTIALS, "The address or the password is wrong.")
WRONG_CODE = IdentityRefusal(IdentityProblem.WRONG_CODE, "The code is wrong, was used, or is too old. Ask for another.")
_WEAK = IdentityRefusal(
    IdentityProblem.WEAK_PASSWORD, "The password does not meet the pool's rules; choose a longer one."
)
_OLD_ONE = IdentityRefusal(IdentityProblem.WEAK_PASSWORD, "The password was used before; choose another one.")
_TOO_MANY = IdentityRefusal(
    IdentityProblem.TOO_MANY_ATTEMPTS, "Too many tries with this account. Try again in some minutes.", 300
)
REFUSALS: Mapping[str, IdentityRefusal] = {
    "NotAuthorizedException": WRONG,
    "UserNotFoundException": WRONG,
    "UserNotConfirmedException": IdentityRefusal(
        IdentityProblem.NOT_CONFIRMED, "The address was not confirmed yet. Enter the code that was sent to it."
    ),
    "PasswordResetRequiredException": IdentityRefusal(
        IdentityProblem.NEW_PASSWORD_NEEDED, "A new password is needed. Ask for a code with “forgot password”."
    ),
    "CodeMismatchException": WRONG_CODE,
    "ExpiredCodeException": WRONG_CODE,
    "UsernameExistsException": IdentityRefusal(
        IdentityProblem.EMAIL_IN_USE, "There is an account of this address already."
    ),
    "AliasExistsException": IdentityRefusal(
        IdentityProblem.EMAIL_IN_USE, "There is an account of this address already."
    ),
    "InvalidPasswordException": _WEAK,
    "PasswordHistoryPolicyViolationException": _OLD_ONE,
    "TooManyFailedAttemptsException": _TOO_MANY,
    "LimitExceededException": _TOO_MANY,
}
"""Cognito's errors that are somebody's answer. Every other one means that it cannot be had as it is."""

UNKNOWN_USER = "UserNotFoundException"
INVALID = "InvalidParameterException"
# What breaks the form of a value is told by the value's name.
_INVALID_VALUES: Mapping[str, IdentityRefusal] = {
    "'confirmationCode'": WRONG_CODE,
    "'password'": _WEAK,
    "'proposedPassword'": _WEAK,
    "'previousPassword'": WRONG,
}

DISABLED = IdentityRefusal(IdentityProblem.ACCOUNT_DISABLED, "This account was disabled; staff can help.")
SESSION_OVER = IdentityRefusal(IdentityProblem.SESSION_OVER, "This session has ended. Sign in again.")
NEW_PASSWORD_NEEDED = REFUSALS["PasswordResetRequiredException"]


def open_client(service: str, region: str, endpoint_url: str = "", **credentials: str) -> Any:  # noqa: ANN401 - boto3 has no types
    """A client of one of AWS's services; credentials come from the environment unless they are given."""
    return boto3.client(
        service, region_name=region or None, endpoint_url=endpoint_url or None, config=_CONFIG, **credentials
    )


@contextmanager
def plainly(*passing: str) -> Iterator[None]:
    """Turn whatever Cognito or the way to it says into `ProviderAwayError`.

    Args:
        passing: names of refusals that are left as they are.

    Raises:
        ClientError: one of `passing`.
        ProviderAwayError: see there.
    """
    try:
        yield
    except ClientError as error:
        if error_code(error) in passing:
            raise
        raise ProviderAwayError(f"Cognito refused ({error_code(error)})") from error
    except BotoCoreError as error:
        raise ProviderAwayError(f"Cognito cannot be had ({type(error).__name__})") from error


def refusal_of(error: ClientError) -> IdentityRefusal | None:
    """What a refusal of Cognito's means to whoever asked; None where it is no answer to them."""
    code, message = error_code(error), error_message(error)
    if code == INVALID:
        return next((refusal for value, refusal in _INVALID_VALUES.items() if value in message), None)
    if code == "NotAuthorizedException" and "disabled" in message.lower():
        return DISABLED
    return REFUSALS.get(code)


def error_code(error: ClientError) -> str:
    """The name of a refusal."""
    return str(error.response["Error"]["Code"])


def error_message(error: ClientError) -> str:
    """What a refusal says."""
    return str(error.response["Error"].get("Message", ""))


def ignoring(call: Callable[[], object], *refusals: str) -> None:
    """Make a call of which refusals of these names change nothing."""
    with suppress(ClientError), plainly(*refusals):
        call()


def account_from(user: Mapping[str, Any], groups: tuple[str, ...] = ()) -> Account:
    """An account from what `ListUsers` (`Attributes`) or `AdminGetUser` (`UserAttributes`) says."""
    listed = user.get("Attributes") or user.get("UserAttributes") or []
    attributes = {each["Name"]: each["Value"] for each in listed}
    created: datetime = user["UserCreateDate"]
    told = str(attributes.get("email", ""))
    email = normal_address_or_none(told) or told.lower() or None
    return Account(
        sub=UUID(attributes["sub"]),
        email=email,
        name=attributes.get("name") or (email or "").partition("@")[0],
        enabled=bool(user["Enabled"]),
        confirmed=user["UserStatus"] != "UNCONFIRMED",
        created_at=created.astimezone(UTC),
        groups=tuple(sorted(groups)),
    )
