"""Sessions at Cognito, at boto3's wire level: what is asked, and what each answer of Cognito's means."""

from collections.abc import Iterator

import pytest

from domain.identity.model import Tokens
from domain.identity.ports import ProviderUnavailableError
from tests.unit.integrations.cognito.harness import APP, AWAY, EMAIL, PASSWORD, POOL, SUB, CognitoHarness, problem_of

SIGN_IN = {
    "ClientId": APP,
    "AuthFlow": "USER_PASSWORD_AUTH",
    "AuthParameters": {"USERNAME": EMAIL, "PASSWORD": PASSWORD},
}
REFRESH = {"ClientId": APP, "AuthFlow": "REFRESH_TOKEN_AUTH", "AuthParameters": {"REFRESH_TOKEN": "refresh"}}
RESULT = {"AccessToken": "access", "IdToken": "id", "ExpiresIn": 3600, "TokenType": "Bearer"}


@pytest.fixture
def cognito() -> Iterator[CognitoHarness]:
    with CognitoHarness() as harness:
        yield harness


def signed_in(cognito: CognitoHarness) -> str | None:
    return problem_of(cognito.provider.sign_in(EMAIL, PASSWORD))


# Signing in


def test_a_sign_in_gives_tokens_without_a_secret_of_the_client(cognito: CognitoHarness) -> None:
    cognito.answers("initiate_auth", SIGN_IN, {"AuthenticationResult": {**RESULT, "RefreshToken": "refresh"}})
    tokens = cognito.provider.sign_in(" Ana@Example.com ", PASSWORD)
    assert tokens == Tokens("access", "id", "refresh", 3600)


@pytest.mark.parametrize(
    ("code", "message", "problem"),
    [
        ("NotAuthorizedException", "Incorrect username or password.", "wrong_credentials"),
        ("UserNotFoundException", "User does not exist.", "wrong_credentials"),
        ("NotAuthorizedException", "Password attempts exceeded", "wrong_credentials"),
        ("NotAuthorizedException", "User is disabled.", "account_disabled"),
        ("UserNotConfirmedException", "User is not confirmed.", "not_confirmed"),
        ("PasswordResetRequiredException", "Password reset required for the user", "new_password_needed"),
    ],
)
def test_what_cognito_refuses_of_a_sign_in_is_reported(
    cognito: CognitoHarness, code: str, message: str, problem: str
) -> None:
    cognito.refuses("initiate_auth", code, message)
    assert signed_in(cognito) == problem


def test_an_unknown_address_gets_word_for_word_the_answer_of_a_wrong_password(cognito: CognitoHarness) -> None:
    cognito.refuses("initiate_auth", "NotAuthorizedException", "Incorrect username or password.")
    cognito.refuses("initiate_auth", "UserNotFoundException", "User does not exist.")
    assert cognito.provider.sign_in(EMAIL, PASSWORD) == cognito.provider.sign_in("nobody@example.com", PASSWORD)


def test_no_password_is_a_wrong_password_without_a_question(cognito: CognitoHarness) -> None:
    assert problem_of(cognito.provider.sign_in(EMAIL, "")) == "wrong_credentials"


def test_a_password_that_is_good_for_one_sign_in_must_be_replaced_first(cognito: CognitoHarness) -> None:
    cognito.answers("initiate_auth", SIGN_IN, {"ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": "x" * 20})
    assert signed_in(cognito) == "new_password_needed"


@pytest.mark.parametrize("challenge", ["SMS_MFA", "SOFTWARE_TOKEN_MFA", "MFA_SETUP"])
def test_a_pool_that_asks_for_more_than_a_password_is_not_answered_with_a_new_one(
    cognito: CognitoHarness, challenge: str
) -> None:
    cognito.answers("initiate_auth", SIGN_IN, {"ChallengeName": challenge, "Session": "x" * 20})
    with pytest.raises(ProviderUnavailableError, match=challenge):
        signed_in(cognito)


@pytest.mark.parametrize("code", [*AWAY, "InvalidParameterException", "InvalidUserPoolConfigurationException"])
def test_what_is_nobodys_answer_is_no_answer_to_who_signs_in(cognito: CognitoHarness, code: str) -> None:
    cognito.refuses("initiate_auth", code, "USER_PASSWORD_AUTH flow not enabled for this client")
    with pytest.raises(ProviderUnavailableError, match=code):
        signed_in(cognito)


# Going on


def test_a_refresh_keeps_the_refresh_token_that_cognito_does_not_repeat(cognito: CognitoHarness) -> None:
    cognito.answers("initiate_auth", REFRESH, {"AuthenticationResult": RESULT})
    assert cognito.provider.refresh("refresh") == Tokens("access", "id", "refresh", 3600)


def test_a_refresh_takes_the_refresh_token_of_a_pool_that_rotates_them(cognito: CognitoHarness) -> None:
    cognito.answers("initiate_auth", REFRESH, {"AuthenticationResult": {**RESULT, "RefreshToken": "next"}})
    assert cognito.provider.refresh("refresh") == Tokens("access", "id", "next", 3600)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("NotAuthorizedException", "Refresh Token has been revoked"),
        ("NotAuthorizedException", "Refresh Token has expired"),
        ("NotAuthorizedException", "Invalid Refresh Token"),
        ("NotAuthorizedException", "User is disabled."),
        ("UserNotFoundException", "User does not exist."),
        ("PasswordResetRequiredException", "Password reset required for the user"),
    ],
)
def test_a_session_that_cannot_go_on_is_over(cognito: CognitoHarness, code: str, message: str) -> None:
    cognito.refuses("initiate_auth", code, message)
    assert problem_of(cognito.provider.refresh("refresh")) == "session_over"


@pytest.mark.parametrize("code", AWAY)
def test_a_session_does_not_end_because_cognito_is_unavailable(cognito: CognitoHarness, code: str) -> None:
    cognito.refuses("initiate_auth", code)
    with pytest.raises(ProviderUnavailableError, match=code):
        cognito.provider.refresh("refresh")


# Ending


def test_a_refresh_token_is_revoked(cognito: CognitoHarness) -> None:
    cognito.answers("revoke_token", {"ClientId": APP, "Token": "refresh"})
    cognito.provider.revoke("refresh")


@pytest.mark.parametrize(
    "code",
    [
        "UnauthorizedException",
        "UnsupportedTokenTypeException",
        "NotAuthorizedException",
        "InvalidParameterException",
    ],
)
def test_what_is_no_refresh_token_of_ours_needs_no_revoking(cognito: CognitoHarness, code: str) -> None:
    cognito.refuses("revoke_token", code)
    cognito.provider.revoke("a.b.c")


@pytest.mark.parametrize("code", [*AWAY, "UnsupportedOperationException"])
def test_a_token_that_could_not_be_revoked_is_not_said_to_be(cognito: CognitoHarness, code: str) -> None:
    cognito.refuses("revoke_token", code)
    with pytest.raises(ProviderUnavailableError, match=code):
        cognito.provider.revoke("refresh")


def test_all_sessions_of_an_account_end_by_its_id(cognito: CognitoHarness) -> None:
    cognito.answers("admin_user_global_sign_out", {"UserPoolId": POOL, "Username": str(SUB)})
    cognito.provider.sign_out_everywhere(SUB)


def test_nobody_has_no_sessions_to_end(cognito: CognitoHarness) -> None:
    cognito.refuses("admin_user_global_sign_out", "UserNotFoundException", "User does not exist.")
    cognito.provider.sign_out_everywhere(SUB)


@pytest.mark.parametrize("code", [*AWAY, "NotAuthorizedException"])
def test_sessions_that_could_not_be_ended_are_not_said_to_be(cognito: CognitoHarness, code: str) -> None:
    cognito.refuses("admin_user_global_sign_out", code)
    with pytest.raises(ProviderUnavailableError, match=code):
        cognito.provider.sign_out_everywhere(SUB)


def test_a_disabled_account_has_its_sessions_ended(cognito: CognitoHarness) -> None:
    cognito.answers("admin_disable_user", {"UserPoolId": POOL, "Username": str(SUB)})
    cognito.answers("admin_user_global_sign_out", {"UserPoolId": POOL, "Username": str(SUB)})
    cognito.provider.set_enabled(SUB, enabled=False)


def test_an_account_that_is_enabled_again_keeps_what_sessions_it_has(cognito: CognitoHarness) -> None:
    cognito.answers("admin_enable_user", {"UserPoolId": POOL, "Username": str(SUB)})
    cognito.provider.set_enabled(SUB, enabled=True)
