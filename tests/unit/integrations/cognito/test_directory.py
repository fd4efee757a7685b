"""The directory of Cognito, at boto3's wire level: what is asked, and what each answer of Cognito's means."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from domain.identity.ports import ProviderUnavailableError
from tests.unit.integrations.cognito.harness import POOL, SUB, CognitoHarness, user

BO = UUID("01981b2c-7a11-7bbb-8ccc-00000000000b")
MISSING_POOL = f"User pool {POOL} does not exist."


@pytest.fixture
def cognito() -> Iterator[CognitoHarness]:
    with CognitoHarness() as harness:
        yield harness


def lists(cognito: CognitoHarness, limit: int, users: list[dict[str, Any]], *, after: str = "", then: str = "") -> None:
    """The next call asks for users."""
    cognito.answers(
        "list_users",
        {"UserPoolId": POOL, "Limit": limit, **({"PaginationToken": after} if after else {})},
        {"Users": users, **({"PaginationToken": then} if then else {})},
    )


def has_members(
    cognito: CognitoHarness, group: str, users: list[dict[str, Any]], *, after: str = "", then: str = ""
) -> None:
    """The next call asks for the members of a group."""
    cognito.answers(
        "list_users_in_group",
        {"UserPoolId": POOL, "GroupName": group, "Limit": 60, **({"NextToken": after} if after else {})},
        {"Users": users, **({"NextToken": then} if then else {})},
    )


# Pages


def test_a_page_is_joined_with_the_members_of_each_role(cognito: CognitoHarness) -> None:
    lists(cognito, 2, [user(), user(BO, "bo@example.com")], then="next")
    has_members(cognito, "User", [user()], then="more")
    has_members(cognito, "User", [user(BO)], after="more")
    has_members(cognito, "Staff", [])
    has_members(cognito, "Admin", [user(BO)])
    page = cognito.directory.page(2, None)
    assert [(account.sub, account.groups) for account in page.items] == [(SUB, ("User",)), (BO, ("Admin", "User"))]
    assert page.next == "next"


def test_a_page_larger_than_cognitos_is_put_together(cognito: CognitoHarness) -> None:
    many = [user(UUID(int=number)) for number in range(100)]
    lists(cognito, 60, many[:60], after="here", then="there")
    lists(cognito, 40, many[60:95], after="there", then="further")  # Cognito may give fewer than it has
    lists(cognito, 5, many[95:], after="further")
    for role in ("User", "Staff", "Admin"):
        has_members(cognito, role, [])
    page = cognito.directory.page(100, "here")
    assert (len(page.items), page.next) == (100, None)


def test_an_empty_page_asks_for_no_groups(cognito: CognitoHarness) -> None:
    lists(cognito, 60, [])
    assert cognito.directory.page(100, None).items == ()


def test_a_bad_token_does_not_continue_a_list(cognito: CognitoHarness) -> None:
    asked = {"UserPoolId": POOL, "Limit": 10, "PaginationToken": "none"}
    cognito.refuses("list_users", "InvalidParameterException", "Invalid pagination token.", asked)
    with pytest.raises(ValueError, match="cannot be continued"):
        cognito.directory.page(10, "none")


def test_what_is_invalid_without_a_token_of_the_callers_is_not_their_fault(cognito: CognitoHarness) -> None:
    cognito.refuses("list_users", "InvalidParameterException")
    with pytest.raises(ProviderUnavailableError):
        cognito.directory.page(10, None)


def test_a_list_that_breaks_off_at_cognitos_own_token_is_not_the_callers_fault(cognito: CognitoHarness) -> None:
    lists(cognito, 60, [user()], after="here", then="there")
    cognito.refuses("list_users", "InvalidParameterException", "Invalid pagination token.")
    with pytest.raises(ProviderUnavailableError):
        cognito.directory.page(100, "here")


@pytest.mark.parametrize("code", ["TooManyRequestsException", "NotAuthorizedException", "ResourceNotFoundException"])
def test_a_list_that_cannot_be_had_is_not_an_empty_one(cognito: CognitoHarness, code: str) -> None:
    cognito.refuses("list_users", code)
    with pytest.raises(ProviderUnavailableError, match=code):
        cognito.directory.page(10, "here")


# Groups


def test_enabled_members_are_read_to_the_last_page(cognito: CognitoHarness) -> None:
    has_members(cognito, "Admin", [user(), user(UUID(int=7), enabled=False)], then="more")
    has_members(cognito, "Admin", [user(BO)], after="more")
    assert cognito.directory.enabled_members_of("Admin") == {SUB, BO}


def test_a_group_that_is_missing_has_no_members(cognito: CognitoHarness) -> None:
    cognito.refuses("list_users_in_group", "ResourceNotFoundException", "Group not found.")
    assert cognito.directory.enabled_members_of("Admin") == set()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ResourceNotFoundException", MISSING_POOL),
        ("TooManyRequestsException", ""),
        ("NotAuthorizedException", ""),
    ],
)
def test_who_is_in_a_group_is_not_guessed(cognito: CognitoHarness, code: str, message: str) -> None:
    cognito.refuses("list_users_in_group", code, message)
    with pytest.raises(ProviderUnavailableError):
        cognito.directory.enabled_members_of("Admin")


@pytest.mark.parametrize("taken", [False, True])
def test_a_missing_group_is_made_though_somebody_else_does_so_at_the_same_time(
    cognito: CognitoHarness,
    taken: bool,  # noqa: FBT001 - a case
) -> None:
    join = {"UserPoolId": POOL, "Username": str(SUB), "GroupName": "Admin"}
    make = {"UserPoolId": POOL, "GroupName": "Admin"}
    cognito.refuses("admin_add_user_to_group", "ResourceNotFoundException", "Group not found.", join)
    if taken:
        cognito.refuses("create_group", "GroupExistsException", asked=make)
    else:
        cognito.answers("create_group", make)
    cognito.answers("admin_add_user_to_group", join)
    cognito.directory.add_to_group(SUB, "Admin")


def test_a_group_that_cannot_be_made_is_not_said_to_be_joined(cognito: CognitoHarness) -> None:
    cognito.refuses("admin_add_user_to_group", "ResourceNotFoundException", "Group not found.")
    cognito.refuses("create_group", "LimitExceededException")
    with pytest.raises(ProviderUnavailableError, match="LimitExceededException"):
        cognito.directory.add_to_group(SUB, "Admin")


def test_a_missing_pool_is_neither_joined_nor_left(cognito: CognitoHarness) -> None:
    cognito.refuses("admin_add_user_to_group", "ResourceNotFoundException", MISSING_POOL)
    cognito.refuses("admin_remove_user_from_group", "ResourceNotFoundException", MISSING_POOL)
    with pytest.raises(ProviderUnavailableError):
        cognito.directory.add_to_group(SUB, "Admin")
    with pytest.raises(ProviderUnavailableError):
        cognito.directory.remove_from_group(SUB, "Admin")


def test_a_missing_group_is_left_already(cognito: CognitoHarness) -> None:
    cognito.refuses("admin_remove_user_from_group", "ResourceNotFoundException", "Group not found.")
    cognito.directory.remove_from_group(SUB, "Admin")
