"""Passwords at Cognito, at boto3's wire level: what is asked, and what each answer of Cognito's means."""

from collections.abc import Iterator

import pytest

from domain.identity.ports import ProviderUnavailableError
from tests.unit.integrations.cognito.harness import (
    APP,
    AWAY,
    DELIVERY,
    EMAIL,
    OTHER_PASSWORD,
    PASSWORD,
    CognitoHarness,
    problem_of,
)

RESET = {"ClientId": APP, "Username": EMAIL, "ConfirmationCode": "123456", "Password": OTHER_PASSWORD}
CHANGE = {"AccessToken": "access", "PreviousPassword": PASSWORD, "ProposedPassword": OTHER_PASSWORD}


@pytest.fixture
def cognito() -> Iterator[CognitoHarness]:
    with CognitoHarness() as harness:
        yield harness


def reset(cognito: CognitoHarness, code: str = "123456") -> str | None:
    return problem_of(cognito.provider.reset_password(" Ana@example.com", code, OTHER_PASSWORD))


def changed(cognito: CognitoHarness) -> str | None:
    return problem_of(cognito.provider.change_password("access", PASSWORD, OTHER_PASSWORD))


# Forgotten


def test_a_code_is_sent_to_who_forgot_the_password(cognito: CognitoHarness) -> None:
    cognito.answers("forgot_password", {"ClientId": APP, "Username": EMAIL}, DELIVERY)
    assert cognito.provider.forgot_password(" Ana@Example.com").version == 4


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("UserNotFoundException", "Username/client id combination not found."),
        ("InvalidParameterException", "Cannot reset password for the user as there is no registered/verified email"),
        ("NotAuthorizedException", "User password cannot be reset in the current state."),
        ("LimitExceededException", "Attempt limit exceeded, please try after some time."),
    ],
)
def test_a_password_reset_does_not_reveal_whether_an_account_exists(
    cognito: CognitoHarness, code: str, message: str
) -> None:
    cognito.refuses("forgot_password", code, message)
    cognito.provider.forgot_password(EMAIL)


@pytest.mark.parametrize("code", AWAY)
def test_a_code_that_cannot_be_sent_for_now_is_not_said_to_be_sent(cognito: CognitoHarness, code: str) -> None:
    cognito.refuses("forgot_password", code)
    with pytest.raises(ProviderUnavailableError, match=code):
        cognito.provider.forgot_password(EMAIL)


# Set by a code


def test_a_code_sets_a_new_password(cognito: CognitoHarness) -> None:
    cognito.answers("confirm_forgot_password", RESET)
    assert reset(cognito, " 123-456 ") is None


@pytest.mark.parametrize(
    ("code", "message", "problem"),
    [
        ("CodeMismatchException", "Invalid verification code provided, please try again.", "wrong_code"),
        ("ExpiredCodeException", "Invalid code provided, please request a code again.", "wrong_code"),
        ("UserNotFoundException", "Username/client id combination not found.", "wrong_code"),
        ("InvalidParameterException", "Value at 'confirmationCode' failed to satisfy constraint", "wrong_code"),
        ("InvalidParameterException", "Value at 'password' failed to satisfy constraint", "weak_password"),
        ("InvalidPasswordException", "Password does not conform to policy", "weak_password"),
        ("PasswordHistoryPolicyViolationException", "Password has previously been used", "weak_password"),
        # What it says of the account, only where there is one, is not passed on.
        ("TooManyFailedAttemptsException", "", "wrong_code"),
        ("LimitExceededException", "Attempt limit exceeded, please try after some time.", "wrong_code"),
        ("NotAuthorizedException", "User is disabled.", "wrong_code"),
    ],
)
def test_what_cognito_refuses_of_a_new_password_is_reported_without_naming_the_account(
    cognito: CognitoHarness, code: str, message: str, problem: str
) -> None:
    cognito.refuses("confirm_forgot_password", code, message)
    assert reset(cognito) == problem


@pytest.mark.parametrize("code", ["", " "])
def test_no_code_is_a_wrong_code_without_a_question(cognito: CognitoHarness, code: str) -> None:
    assert reset(cognito, code) == "wrong_code"


@pytest.mark.parametrize("code", [*AWAY, "InvalidParameterException"])
def test_what_is_nobodys_answer_is_no_answer_to_who_sets_a_password(cognito: CognitoHarness, code: str) -> None:
    cognito.refuses("confirm_forgot_password", code, "The client cannot be found.")
    with pytest.raises(ProviderUnavailableError, match=code):
        reset(cognito)


# Changed


def test_who_knows_the_password_changes_it(cognito: CognitoHarness) -> None:
    cognito.answers("change_password", CHANGE)
    assert changed(cognito) is None


@pytest.mark.parametrize(
    ("code", "message", "problem"),
    [
        ("NotAuthorizedException", "Incorrect username or password.", "wrong_credentials"),
        ("InvalidParameterException", "Value at 'previousPassword' failed to satisfy constraint", "wrong_credentials"),
        ("NotAuthorizedException", "Access Token has expired", "session_over"),
        ("NotAuthorizedException", "Access Token has been revoked", "session_over"),
        ("NotAuthorizedException", "Invalid Access Token", "session_over"),
        ("InvalidPasswordException", "Password does not conform to policy", "weak_password"),
        ("InvalidParameterException", "Value at 'proposedPassword' failed to satisfy constraint", "weak_password"),
        ("PasswordHistoryPolicyViolationException", "Password has previously been used", "weak_password"),
        ("LimitExceededException", "Attempt limit exceeded, please try after some time.", "too_many_attempts"),
    ],
)
def test_what_cognito_refuses_of_a_changed_password_is_reported(
    cognito: CognitoHarness, code: str, message: str, problem: str
) -> None:
    cognito.refuses("change_password", code, message)
    assert changed(cognito) == problem


@pytest.mark.parametrize("code", AWAY)
def test_what_is_nobodys_answer_is_no_answer_to_who_changes_a_password(cognito: CognitoHarness, code: str) -> None:
    cognito.refuses("change_password", code)
    with pytest.raises(ProviderUnavailableError, match=code):
        changed(cognito)
