"""Signing up at Cognito, at boto3's wire level: what is asked, and what each answer of Cognito's means."""

from collections.abc import Iterator

import pytest

from domain.identity.ports import ProviderAwayError
from tests.unit.identity.cognito_rig import APP, AWAY, DELIVERY, EMAIL, PASSWORD, POOL, SUB, CognitoRig, problem_of

SIGN_UP = {
    "ClientId": APP,
    "Username": EMAIL,
    "Password": PASSWORD,
    "UserAttributes": [{"Name": "email", "Value": EMAIL}, {"Name": "name", "Value": "Ana Lima"}],
}


@pytest.fixture
def cognito() -> Iterator[CognitoRig]:
    with CognitoRig() as rig:
        yield rig


def confirmed(cognito: CognitoRig, code: str = "123456") -> str | None:
    return problem_of(cognito.provider.confirm_sign_up(" Ana@example.com", code))


# Signing up


def test_who_signs_up_does_so_without_a_secret_of_the_client(cognito: CognitoRig) -> None:
    cognito.answers("sign_up", SIGN_UP, {"UserConfirmed": False, "UserSub": str(SUB), **DELIVERY})
    assert cognito.provider.sign_up(" Ana@Example.com ", PASSWORD, " Ana Lima ") == SUB


@pytest.mark.parametrize(
    ("code", "message", "problem"),
    [
        ("UsernameExistsException", "An account with the given email already exists.", "email_in_use"),
        ("AliasExistsException", "", "email_in_use"),
        ("InvalidPasswordException", "Password did not conform with policy: not long enough", "weak_password"),
        ("InvalidParameterException", "1 validation error detected: Value at 'password' failed", "weak_password"),
        ("LimitExceededException", "Exceeded daily email limit", "too_many_attempts"),
    ],
)
def test_what_cognito_has_against_a_sign_up_is_told(cognito: CognitoRig, code: str, message: str, problem: str) -> None:
    cognito.refuses("sign_up", code, message)
    assert problem_of(cognito.provider.sign_up(EMAIL, PASSWORD, "Ana")) == problem


@pytest.mark.parametrize("code", [*AWAY, "InvalidParameterException", "UnexpectedLambdaException"])
def test_what_is_nobodys_answer_is_no_answer_to_who_signs_up(cognito: CognitoRig, code: str) -> None:
    cognito.refuses("sign_up", code, "The client is not enabled for what is asked.")
    with pytest.raises(ProviderAwayError, match=code):
        cognito.provider.sign_up(EMAIL, PASSWORD, "Ana")


# Confirming


def test_a_code_is_passed_on_as_it_was_typed_without_spaces_around_it(cognito: CognitoRig) -> None:
    cognito.answers("confirm_sign_up", {"ClientId": APP, "Username": EMAIL, "ConfirmationCode": "123456"})
    assert confirmed(cognito, " 123456\n") is None


@pytest.mark.parametrize(
    ("code", "message", "problem"),
    [
        ("CodeMismatchException", "Invalid verification code provided, please try again.", "wrong_code"),
        ("ExpiredCodeException", "Invalid code provided, please request a code again.", "wrong_code"),
        ("InvalidParameterException", "Value at 'confirmationCode' failed to satisfy constraint", "wrong_code"),
        ("TooManyFailedAttemptsException", "", "too_many_attempts"),
        ("LimitExceededException", "Attempt limit exceeded, please try after some time.", "too_many_attempts"),
        ("AliasExistsException", "An account with the email already exists.", "email_in_use"),
    ],
)
def test_what_cognito_has_against_a_confirmation_is_told(
    cognito: CognitoRig, code: str, message: str, problem: str
) -> None:
    cognito.refuses("confirm_sign_up", code, message)
    assert confirmed(cognito) == problem


@pytest.mark.parametrize("code", ["", "  \n"])
def test_no_code_is_a_wrong_code_without_a_question(cognito: CognitoRig, code: str) -> None:
    assert confirmed(cognito, code) == "wrong_code"


def test_an_account_that_is_confirmed_already_stays_so(cognito: CognitoRig) -> None:
    cognito.refuses("confirm_sign_up", "NotAuthorizedException", "User cannot be confirmed. Current status: CONFIRMED")
    cognito.knows("CONFIRMED")
    assert confirmed(cognito) is None


def test_an_account_that_cannot_be_confirmed_is_not_said_to_be(cognito: CognitoRig) -> None:
    cognito.refuses("confirm_sign_up", "NotAuthorizedException", "User cannot be confirmed.")
    cognito.knows("UNCONFIRMED")
    assert confirmed(cognito) == "wrong_code"


@pytest.mark.parametrize("code", ["UserNotFoundException", "NotAuthorizedException"])
def test_an_unknown_address_is_told_that_the_code_is_wrong(cognito: CognitoRig, code: str) -> None:
    cognito.refuses("confirm_sign_up", code)
    cognito.answers("list_users", {"UserPoolId": POOL, "Filter": f'email = "{EMAIL}"', "Limit": 1}, {"Users": []})
    assert confirmed(cognito) == "wrong_code"


def test_a_pool_that_fails_in_the_middle_of_a_confirmation_says_nothing_of_the_code(cognito: CognitoRig) -> None:
    cognito.refuses("confirm_sign_up", "NotAuthorizedException")
    cognito.refuses("list_users", "NotAuthorizedException", "Not authorized to list users")
    with pytest.raises(ProviderAwayError):
        confirmed(cognito)


@pytest.mark.parametrize("code", AWAY)
def test_what_is_nobodys_answer_is_no_answer_to_who_confirms(cognito: CognitoRig, code: str) -> None:
    cognito.refuses("confirm_sign_up", code)
    with pytest.raises(ProviderAwayError, match=code):
        confirmed(cognito)


# Sending the code again


def test_a_code_is_sent_again(cognito: CognitoRig) -> None:
    cognito.answers("resend_confirmation_code", {"ClientId": APP, "Username": EMAIL}, DELIVERY)
    cognito.provider.resend_code(" Ana@Example.com")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("UserNotFoundException", "Username/client id combination not found."),
        ("InvalidParameterException", "User is already confirmed."),
        ("NotAuthorizedException", "User is disabled."),
        ("LimitExceededException", "Attempt limit exceeded, please try after some time."),
    ],
)
def test_whether_there_is_such_an_account_to_send_a_code_to_is_not_told(
    cognito: CognitoRig, code: str, message: str
) -> None:
    cognito.refuses("resend_confirmation_code", code, message)
    cognito.provider.resend_code(EMAIL)


@pytest.mark.parametrize("code", AWAY)
def test_a_code_that_cannot_be_sent_again_for_now_is_not_said_to_be_sent(cognito: CognitoRig, code: str) -> None:
    cognito.refuses("resend_confirmation_code", code)
    with pytest.raises(ProviderAwayError, match=code):
        cognito.provider.resend_code(EMAIL)
