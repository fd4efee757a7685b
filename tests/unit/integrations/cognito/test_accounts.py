"""Accounts at Cognito, at boto3's wire level: what is asked, and what each answer of Cognito's means."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from domain.identity.model import IdentityRefusal
from domain.identity.ports import Account, ProviderUnavailableError
from integrations.cognito.function_events import AccountItem
from tests.unit.integrations.cognito.harness import (
    AWAY,
    CREATED,
    EMAIL,
    PASSWORD,
    POOL,
    SUB,
    CognitoHarness,
    got_user,
    problem_of,
    user,
)

THIS = {"UserPoolId": POOL, "Username": str(SUB)}
CREATE = {
    "UserPoolId": POOL,
    "Username": EMAIL,
    "MessageAction": "SUPPRESS",
    "UserAttributes": [
        {"Name": "email", "Value": EMAIL},
        {"Name": "email_verified", "Value": "true"},
        {"Name": "name", "Value": "Ana Lima"},
    ],
}
SET_PASSWORD = {**THIS, "Password": PASSWORD, "Permanent": True}


@pytest.fixture
def cognito() -> Iterator[CognitoHarness]:
    with CognitoHarness() as harness:
        yield harness


def created(cognito: CognitoHarness) -> Account | IdentityRefusal:
    return cognito.provider.create(" Ana@Example.com", " Ana Lima ", PASSWORD)


def shown_account(*groups: str, confirmed: bool = True) -> Account:
    return Account(
        sub=SUB,
        email=EMAIL,
        name="Ana Lima",
        enabled=True,
        confirmed=confirmed,
        created_at=CREATED,
        groups=groups,
    )


# Made by staff


def test_an_account_is_made_without_mail_with_a_password_that_lasts_and_in_the_group_of_users(
    cognito: CognitoHarness,
) -> None:
    cognito.answers("admin_create_user", CREATE, {"User": user(status="FORCE_CHANGE_PASSWORD")})
    cognito.answers("admin_set_user_password", SET_PASSWORD)
    cognito.answers("admin_add_user_to_group", {**THIS, "GroupName": "User"})
    cognito.shows("CONFIRMED", "User")
    assert created(cognito) == shown_account("User")


@pytest.mark.parametrize(
    ("code", "problem"),
    [("UsernameExistsException", "email_in_use"), ("InvalidPasswordException", "weak_password")],
)
def test_what_cognito_refuses_of_an_account_is_reported(cognito: CognitoHarness, code: str, problem: str) -> None:
    cognito.refuses("admin_create_user", code)
    assert problem_of(created(cognito)) == problem


def test_an_account_whose_first_password_is_refused_is_taken_back(cognito: CognitoHarness) -> None:
    cognito.answers("admin_create_user", CREATE, {"User": user(status="FORCE_CHANGE_PASSWORD")})
    cognito.refuses("admin_set_user_password", "InvalidPasswordException", "Password does not conform to policy")
    cognito.answers("admin_delete_user", THIS)
    assert problem_of(created(cognito)) == "weak_password"


def test_an_account_without_a_password_because_cognito_failed_is_removed(cognito: CognitoHarness) -> None:
    cognito.answers("admin_create_user", CREATE, {"User": user(status="FORCE_CHANGE_PASSWORD")})
    cognito.refuses("admin_set_user_password", "TooManyRequestsException")
    cognito.answers("admin_delete_user", THIS)
    with pytest.raises(ProviderUnavailableError, match="TooManyRequestsException"):
        created(cognito)


@pytest.mark.parametrize("code", AWAY)
def test_what_is_nobodys_answer_makes_no_account(cognito: CognitoHarness, code: str) -> None:
    cognito.refuses("admin_create_user", code)
    with pytest.raises(ProviderUnavailableError, match=code):
        created(cognito)


# Found


def test_an_address_is_looked_for_as_a_whole_whatever_is_in_it(cognito: CognitoHarness) -> None:
    asked = {"UserPoolId": POOL, "Filter": 'email = "a\\"b\\\\c@example.com"', "Limit": 1}
    cognito.answers("list_users", asked, {"Users": []})
    assert cognito.provider.account_of(' A"b\\c@Example.com ') is None


@pytest.mark.parametrize(
    ("status", "confirmed"),
    [("UNCONFIRMED", False), ("CONFIRMED", True), ("EXTERNAL_PROVIDER", True), ("RESET_REQUIRED", True)],
)
def test_an_account_is_read_from_either_way_that_cognito_shows_it(
    cognito: CognitoHarness,
    status: str,
    confirmed: bool,  # noqa: FBT001 - a case
) -> None:
    cognito.knows(status, "User", "Admin", "customers-of-2019")
    found = cognito.provider.account_of(EMAIL)
    assert found == shown_account("Admin", "User", "customers-of-2019", confirmed=confirmed)


def test_an_account_without_a_name_is_called_by_its_address(cognito: CognitoHarness) -> None:
    shown = got_user()
    shown["UserAttributes"] = [each for each in shown["UserAttributes"] if each["Name"] != "name"]
    cognito.answers("admin_get_user", THIS, shown)
    cognito.answers("admin_list_groups_for_user", THIS, {"Groups": []})
    found = cognito.provider.account(SUB)
    assert found is not None
    assert found.name == "ana"


@pytest.mark.parametrize("operation", ["admin_get_user", "admin_list_groups_for_user"])
def test_an_account_that_is_gone_by_then_is_none(cognito: CognitoHarness, operation: str) -> None:
    if operation == "admin_list_groups_for_user":
        cognito.answers("admin_get_user", THIS, got_user())
    cognito.refuses(operation, "UserNotFoundException")
    assert cognito.provider.account(SUB) is None


# Changed


Change = Callable[[CognitoHarness], None]
CHANGES: list[tuple[str, Mapping[str, object], Change]] = [
    (
        "admin_update_user_attributes",
        {**THIS, "UserAttributes": [{"Name": "name", "Value": "Ana Sousa"}]},
        lambda cognito: cognito.provider.rename(SUB, " Ana Sousa "),
    ),
    ("admin_enable_user", THIS, lambda cognito: cognito.provider.set_enabled(SUB, enabled=True)),
    ("admin_delete_user", THIS, lambda cognito: cognito.provider.delete(SUB)),
    (
        "admin_add_user_to_group",
        {**THIS, "GroupName": "Staff"},
        lambda cognito: cognito.directory.add_to_group(SUB, "Staff"),
    ),
    (
        "admin_remove_user_from_group",
        {**THIS, "GroupName": "Staff"},
        lambda cognito: cognito.directory.remove_from_group(SUB, "Staff"),
    ),
]


@pytest.mark.parametrize(("operation", "asked", "change"), CHANGES)
def test_a_change_is_asked_for_by_the_id(
    cognito: CognitoHarness, operation: str, asked: Mapping[str, object], change: Change
) -> None:
    cognito.answers(operation, asked)
    change(cognito)


@pytest.mark.parametrize(("operation", "asked", "change"), CHANGES)
def test_a_change_of_nobody_is_nothing(
    cognito: CognitoHarness, operation: str, asked: Mapping[str, object], change: Change
) -> None:
    cognito.refuses(operation, "UserNotFoundException", "User does not exist.", asked)
    change(cognito)


@pytest.mark.parametrize("code", ["TooManyRequestsException", "NotAuthorizedException", "InvalidParameterException"])
@pytest.mark.parametrize(("operation", "asked", "change"), CHANGES)
def test_a_change_that_was_not_made_is_not_said_to_be(
    cognito: CognitoHarness, operation: str, asked: Mapping[str, object], change: Change, code: str
) -> None:
    cognito.refuses(operation, code, asked=asked)
    with pytest.raises(ProviderUnavailableError, match=code):
        change(cognito)


def test_a_federated_account_without_an_address_has_none(cognito: CognitoHarness) -> None:
    shown = got_user("EXTERNAL_PROVIDER")
    shown["Username"] = "facebook_10158000000000000"
    shown["UserAttributes"] = [each for each in shown["UserAttributes"] if each["Name"] == "sub"]
    cognito.answers("admin_get_user", THIS, shown)
    cognito.answers("admin_list_groups_for_user", THIS, {"Groups": []})
    account = cognito.provider.account(SUB)
    assert account is not None
    assert (account.email, account.name) == (None, "")
    assert AccountItem.of(account).account() == account
