"""Cognito client and its errors. Light to import, because the Lambda functions start with it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from domain.identity.email_addresses import normal_address_or_none
from domain.identity.model import IdentityProblem, IdentityRefusal
from domain.identity.ports import Account, ProviderUnavailableError
from integrations.time_limit import has_time_for


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Timeouts and retries of an AWS client, in seconds.

    Args:
        connect_s, read_s: timeouts of one attempt.
        attempts: maximum number of attempts of one call, including the first.
    """

    connect_s: float
    read_s: float
    attempts: int

    @property
    def attempt_s(self) -> float:
        """Maximum duration of one attempt."""
        return self.connect_s + self.read_s

    @property
    def pause_s(self) -> float:
        """Maximum pause between two attempts. Botocore waits up to 1 s, then 2 s, 4 s and so on."""
        return float(2 ** (self.attempts - 2)) if self.attempts > 1 else 0.0

    @property
    def call_s(self) -> float:
        """Maximum duration of one call with all attempts and pauses."""
        return self.attempts * self.attempt_s + sum(2.0**number for number in range(self.attempts - 1))

    @property
    def config(self) -> Config:
        """The configuration for boto3."""
        # Not `adaptive`: after throttling that mode may wait for ever.
        retries = {"mode": "standard", "total_max_attempts": self.attempts}
        return Config(connect_timeout=self.connect_s, read_timeout=self.read_s, retries=retries)


# Callers wait: the gateway 10 s for Identity, Identity 8 s for a function, Cognito 5 s for a trigger. `time_limit`
# limits all calls of one request together: no attempt starts that could end too late.
IDENTITY_POLICY = RetryPolicy(connect_s=1, read_s=3, attempts=2)
INVOKE_POLICY = RetryPolicy(connect_s=1, read_s=7, attempts=1)
LAMBDA_POLICY = RetryPolicy(connect_s=0.5, read_s=1.5, attempts=2)
FUNCTION_TIME_LIMIT_S = 5.5
TRIGGER_TIME_LIMIT_S = 3.0


class TimeLimitExceededError(BotoCoreError):  # type: ignore[misc]
    """The next attempt would exceed the time limit of the request."""

    fmt = "time limit exceeded: no time for another attempt"


WRONG_CREDENTIALS = IdentityRefusal(IdentityProblem.WRONG_CREDENTIALS, "The address or the password is wrong.")
WRONG_CODE = IdentityRefusal(
    IdentityProblem.WRONG_CODE, "The code is wrong, was used, or has expired. Request another one."
)
_WEAK_PASSWORD = IdentityRefusal(
    IdentityProblem.WEAK_PASSWORD, "The password does not meet the rules of the user pool. Choose a longer one."
)
_REUSED_PASSWORD = IdentityRefusal(IdentityProblem.WEAK_PASSWORD, "The password was used before. Choose another one.")
_TOO_MANY_ATTEMPTS = IdentityRefusal(
    IdentityProblem.TOO_MANY_ATTEMPTS, "Too many attempts with this account. Try again in a few minutes.", 300
)
REFUSALS: Mapping[str, IdentityRefusal] = {
    "NotAuthorizedException": WRONG_CREDENTIALS,
    "UserNotFoundException": WRONG_CREDENTIALS,
    "UserNotConfirmedException": IdentityRefusal(
        IdentityProblem.NOT_CONFIRMED, "The address is not confirmed yet. Enter the code that was sent to it."
    ),
    "PasswordResetRequiredException": IdentityRefusal(
        IdentityProblem.NEW_PASSWORD_NEEDED, "A new password is required. Request a code with “forgot password”."
    ),
    "CodeMismatchException": WRONG_CODE,
    "ExpiredCodeException": WRONG_CODE,
    "UsernameExistsException": IdentityRefusal(
        IdentityProblem.EMAIL_IN_USE, "An account with this address exists already."
    ),
    "AliasExistsException": IdentityRefusal(
        IdentityProblem.EMAIL_IN_USE, "An account with this address exists already."
    ),
    "InvalidPasswordException": _WEAK_PASSWORD,
    "PasswordHistoryPolicyViolationException": _REUSED_PASSWORD,
    "TooManyFailedAttemptsException": _TOO_MANY_ATTEMPTS,
    "LimitExceededException": _TOO_MANY_ATTEMPTS,
}
"""Cognito's errors that the user can resolve. Any other error means that Cognito is unavailable."""

UNKNOWN_USER = "UserNotFoundException"
INVALID = "InvalidParameterException"
# A malformed value is reported by its name.
_INVALID_VALUES: Mapping[str, IdentityRefusal] = {
    "'confirmationCode'": WRONG_CODE,
    "'password'": _WEAK_PASSWORD,
    "'proposedPassword'": _WEAK_PASSWORD,
    "'previousPassword'": WRONG_CREDENTIALS,
}

DISABLED = IdentityRefusal(IdentityProblem.ACCOUNT_DISABLED, "This account is disabled. Ask the staff.")
SESSION_OVER = IdentityRefusal(IdentityProblem.SESSION_OVER, "This session has ended. Sign in again.")
NEW_PASSWORD_NEEDED = REFUSALS["PasswordResetRequiredException"]


def open_client(
    service: str, region: str, endpoint_url: str = "", policy: RetryPolicy = IDENTITY_POLICY, /, **credentials: str
) -> Any:  # noqa: ANN401 - boto3 has no types
    """Open a client of an AWS service. Credentials come from the environment unless they are given.

    Its calls raise `TimeLimitExceededError` instead of starting an attempt that would exceed the current time limit.
    """
    client = boto3.client(
        service, region_name=region or None, endpoint_url=endpoint_url or None, config=policy.config, **credentials
    )

    def check_time_limit(**_request: object) -> None:
        if not has_time_for(policy.attempt_s):
            raise TimeLimitExceededError

    client.meta.events.register("before-send", check_time_limit)
    return client


@contextmanager
def translate_errors(*unchanged: str) -> Iterator[None]:
    """Convert errors of Cognito and of the connection to `ProviderUnavailableError`.

    Args:
        unchanged: names of Cognito errors to re-raise unchanged.

    Raises:
        ClientError: one of `unchanged`.
        ProviderUnavailableError: any other error.
    """
    try:
        yield
    except ClientError as error:
        if error_code(error) in unchanged:
            raise
        raise ProviderUnavailableError(f"Service unavailable: Cognito ({error_code(error)})") from error
    except BotoCoreError as error:
        raise ProviderUnavailableError(f"Service unavailable: Cognito ({type(error).__name__})") from error


def refusal_of(error: ClientError) -> IdentityRefusal | None:
    """The refusal that a Cognito error means for the user; None if it means none."""
    code, message = error_code(error), error_message(error)
    if code == INVALID:
        return next((refusal for value, refusal in _INVALID_VALUES.items() if value in message), None)
    if code == "NotAuthorizedException" and "disabled" in message.lower():
        return DISABLED
    return REFUSALS.get(code)


def error_code(error: ClientError) -> str:
    """The error's name."""
    return str(error.response["Error"]["Code"])


def error_message(error: ClientError) -> str:
    """The error's message."""
    return str(error.response["Error"].get("Message", ""))


def ignore_errors(call: Callable[[], object], *names: str) -> None:
    """Make a call and ignore errors of these names."""
    with suppress(ClientError), translate_errors(*names):
        call()


def account_from(user: Mapping[str, Any], groups: tuple[str, ...] = ()) -> Account:
    """Convert an entry of `ListUsers` (`Attributes`) or `AdminGetUser` (`UserAttributes`) to an account."""
    listed = user.get("Attributes") or user.get("UserAttributes") or []
    attributes = {each["Name"]: each["Value"] for each in listed}
    created: datetime = user["UserCreateDate"]
    given = str(attributes.get("email", ""))
    email = normal_address_or_none(given) or given.lower() or None
    return Account(
        sub=UUID(attributes["sub"]),
        email=email,
        name=attributes.get("name") or (email or "").partition("@")[0],
        enabled=bool(user["Enabled"]),
        confirmed=user["UserStatus"] != "UNCONFIRMED",
        created_at=created.astimezone(UTC),
        groups=tuple(sorted(groups)),
    )
