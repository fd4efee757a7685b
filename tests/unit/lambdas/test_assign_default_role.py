"""The trigger that puts whoever is new into `User`, with events as Cognito sends them."""

import json
from typing import Any
from uuid import UUID

import pytest

from domain.identity.model import Role
from domain.identity.ports import ProviderUnavailableError
from domain.ids import new_id
from integrations.cognito.directory import CognitoDirectory
from lambdas.assign_default_role import handler as function
from tests.unit.lambdas.pool import Pool

EVERY_SOURCE = [
    "TokenGeneration_HostedAuth",
    "TokenGeneration_Authentication",
    "TokenGeneration_NewPasswordChallenge",
    "TokenGeneration_AuthenticateDevice",
    "TokenGeneration_RefreshTokens",
]


def trigger(pool: Pool, source: str, user: UUID, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    request: dict[str, Any] = {
        "userAttributes": {
            "sub": str(user),
            "email": "ana@example.com",
            "name": "Ana Lima",
            "email_verified": "true",
            "cognito:user_status": "CONFIRMED",
        }
    }
    version = changes.pop("version", "1")
    if source.startswith("TokenGeneration"):
        groups = changes.pop("groups", [])
        request["groupConfiguration"] = {
            "groupsToOverride": groups,
            "iamRolesToOverride": [],
            "preferredRole": None,
        }
        request["clientMetadata"] = {}
        if version == "2":
            request["scopes"] = ["aws.cognito.signin.user.admin"]
    return {
        "version": version,
        "triggerSource": source,
        "region": "eu-west-1",
        "userPoolId": pool.id,
        "userName": str(user),
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "client"},
        "request": request | changes,
        "response": {},
    }


class Away:
    """A pool that cannot be had."""

    def add_to_group(self, _sub: UUID, _group: str) -> None:
        raise ProviderUnavailableError("away")


def test_whoever_confirms_is_put_into_the_group_and_again_changes_nothing(pool: Pool) -> None:
    user = pool.user("ana@example.com")
    event = trigger(pool, "PostConfirmation_ConfirmSignUp", user)
    sent = json.loads(json.dumps(event))
    for _ in range(2):
        assert function.assign(event, pool.directory) == sent, "Cognito takes the event back as it was"
        assert pool.groups(user) == {"User"}


def test_a_new_password_is_no_sign_up(pool: Pool) -> None:
    user = pool.user("ana@example.com")
    function.assign(trigger(pool, "PostConfirmation_ConfirmForgotPassword", user), pool.directory)
    assert pool.groups(user) == set()


@pytest.mark.parametrize("source", EVERY_SOURCE)
def test_a_token_of_the_first_version_says_the_group_already(pool: Pool, source: str) -> None:
    user = pool.user("ana@example.com")
    event = function.assign(trigger(pool, source, user, groups=["Staff"]), pool.directory)
    assert event["response"] == {
        "claimsOverrideDetails": {
            "groupOverrideDetails": {
                "groupsToOverride": ["Staff", "User"],
                "iamRolesToOverride": [],
                "preferredRole": None,
            }
        }
    }
    assert pool.groups(user) == {"User"}


@pytest.mark.parametrize("source", EVERY_SOURCE)
def test_a_token_of_the_second_version_says_the_group_address_and_name(pool: Pool, source: str) -> None:
    user = pool.user("ana@example.com")
    event = function.assign(trigger(pool, source, user, version="2"), pool.directory)
    details = event["response"]["claimsAndScopeOverrideDetails"]
    assert details["groupOverrideDetails"]["groupsToOverride"] == ["User"]
    assert details["accessTokenGeneration"]["claimsToAddOrOverride"] == {
        "email": "ana@example.com",
        "name": "Ana Lima",
    }


def test_a_token_that_says_it_already_asks_nothing_of_the_pool() -> None:
    event = trigger_of_nobody(groups=["User", "Admin"])
    answered = function.assign(event, Away())  # type: ignore[arg-type]
    overridden = answered["response"]["claimsOverrideDetails"]["groupOverrideDetails"]
    assert overridden["groupsToOverride"] == ["User", "Admin"]


def trigger_of_nobody(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    class Nowhere:
        id = "eu-west-1_nowhere"

    return trigger(Nowhere(), "TokenGeneration_Authentication", new_id(), **changes)  # type: ignore[arg-type]


def test_nobody_is_locked_out_while_the_pool_is_unavailable_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    event = trigger_of_nobody()
    answered = function.assign(event, Away())  # type: ignore[arg-type]
    overridden = answered["response"]["claimsOverrideDetails"]["groupOverrideDetails"]
    assert overridden["groupsToOverride"] == ["User"], "the token says it all the same"
    line = caplog.records[-1]
    assert (line.levelname, line.message) == ("ERROR", "role_not_assigned")
    assert vars(line)["trigger"] == "TokenGeneration_Authentication"
    assert "ana@example.com" not in caplog.text


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"triggerSource": "PostConfirmation_ConfirmSignUp"},
        {"triggerSource": "PostConfirmation_ConfirmSignUp", "request": {"userAttributes": {"sub": "x"}}},
        {"triggerSource": "TokenGeneration_Authentication", "request": None},
        {"triggerSource": "CustomMessage_SignUp", "request": {}},
    ],
)
def test_an_event_that_is_none_of_ours_comes_back_as_it_was(pool: Pool, event: dict[str, Any]) -> None:
    sent = json.loads(json.dumps(event))
    assert function.assign(event, pool.directory) == sent


def test_it_runs_as_aws_calls_it(in_the_cloud: Pool) -> None:
    user = in_the_cloud.user("ana@example.com")
    event = trigger(in_the_cloud, "PostConfirmation_ConfirmSignUp", user)
    assert function.handler(event, None) == event
    assert in_the_cloud.groups(user) == {Role.USER}


def test_without_an_environment_it_still_lets_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    event: dict[str, Any] = {"triggerSource": "PostConfirmation_ConfirmSignUp"}
    assert function.handler(event, None) == event


def test_a_missing_group_is_made(pool: Pool) -> None:
    pool.client.delete_group(UserPoolId=pool.id, GroupName="User")
    user = pool.user("ana@example.com")
    directory = CognitoDirectory(pool.id, client=pool.client)
    function.assign(trigger(pool, "PostConfirmation_ConfirmSignUp", user), directory)
    assert pool.groups(user) == {"User"}
