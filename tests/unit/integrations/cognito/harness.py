"""A provider of Cognito whose boto3 client answers what a test says, and checks what it is asked."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from botocore.stub import Stubber

from domain.identity.model import IdentityRefusal
from integrations.cognito.client import open_client
from integrations.cognito.directory import CognitoDirectory
from integrations.cognito.provider import CognitoProvider
from integrations.settings import IdentitySettings
from tests.moto_server import NOBODYS_KEYS

REGION = "eu-west-1"
POOL, APP = "eu-west-1_pool", "app"
SUB = UUID("01981b2c-7a11-7bbb-8ccc-0123456789ab")
EMAIL = "ana@example.com"
PASSWORD = "Correct horse 7 staple!"  # noqa: S105 - of nobody
OTHER_PASSWORD = "Another battery 8 pile?"  # noqa: S105 - of nobody
CREATED = datetime(2026, 3, 1, 12, tzinfo=UTC)
AWAY = [
    "TooManyRequestsException",
    "InternalErrorException",
    "ResourceNotFoundException",
    "ForbiddenException",
    "AccessDeniedException",
    "UnrecognizedClientException",
    "UserLambdaValidationException",
    "CodeDeliveryFailureException",
]
"""Refusals that are about the pool, its client, its triggers or us, never about somebody's words."""
DELIVERY = {"CodeDeliveryDetails": {"Destination": "a***@e***", "DeliveryMedium": "EMAIL", "AttributeName": "email"}}


def user(sub: UUID = SUB, email: str = EMAIL, status: str = "CONFIRMED", *, enabled: bool = True) -> dict[str, Any]:
    """A user as `ListUsers` and `AdminCreateUser` show one."""
    return {
        "Username": str(sub),
        "Attributes": [
            {"Name": "sub", "Value": str(sub)},
            {"Name": "email", "Value": email},
            {"Name": "name", "Value": "Ana Lima"},
        ],
        "UserCreateDate": CREATED,
        "Enabled": enabled,
        "UserStatus": status,
    }


def got_user(status: str = "CONFIRMED") -> dict[str, Any]:
    """The same as `AdminGetUser` shows it."""
    shown = user(status=status)
    shown["UserAttributes"] = shown.pop("Attributes")
    return shown


class CognitoHarness:
    """One provider and its directory; leaving the `with` fails where a call was expected and not made."""

    def __init__(self, **identity: str) -> None:
        client = open_client("cognito-idp", REGION, **NOBODYS_KEYS)
        self._stubber = Stubber(client)
        self.identity = IdentitySettings(user_pool_id=POOL, client_id=APP, region=REGION, **identity)
        self.provider = CognitoProvider(self.identity, client)
        self.directory = CognitoDirectory(POOL, client=client)

    def __enter__(self) -> Self:
        self._stubber.activate()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stubber.deactivate()
        if error is None:
            self._stubber.assert_no_pending_responses()

    def answers(self, operation: str, asked: Mapping[str, Any], answer: Mapping[str, Any] | None = None) -> None:
        """The next call is this one."""
        self._stubber.add_response(operation, dict(answer or {}), dict(asked))

    def refuses(self, operation: str, code: str, message: str = "", asked: Mapping[str, Any] | None = None) -> None:
        """The next call is this one, and is refused."""
        self._stubber.add_client_error(
            operation, code, message, http_status_code=400, expected_params=None if asked is None else dict(asked)
        )

    def knows(self, status: str = "CONFIRMED", *groups: str) -> None:
        """The next call looks the account up by its address, and then with its groups."""
        self.answers(
            "list_users",
            {"UserPoolId": POOL, "Filter": f'email = "{EMAIL}"', "Limit": 1},
            {"Users": [user(status=status)]},
        )
        self.shows(status, *groups)

    def shows(self, status: str = "CONFIRMED", *groups: str) -> None:
        """The next call looks the account up by its id, with its groups."""
        self.answers("admin_get_user", {"UserPoolId": POOL, "Username": str(SUB)}, got_user(status))
        self.answers(
            "admin_list_groups_for_user",
            {"UserPoolId": POOL, "Username": str(SUB)},
            {"Groups": [{"GroupName": group} for group in groups]},
        )


def problem_of(answer: object) -> str | None:
    """Why it was refused; None where it was not."""
    return answer.problem.value if isinstance(answer, IdentityRefusal) else None
