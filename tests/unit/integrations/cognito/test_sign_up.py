"""Signing up at Cognito, at boto3's wire level: what is asked, and what each answer of Cognito's means."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from domain.identity.ports import ProviderUnavailableError
from tests.unit.integrations.cognito.harness import (
    APP,
    AWAY,
    DELIVERY,
    EMAIL,
    PASSWORD,
    POOL,
    SUB,
    CognitoHarness,
    got_user,
    problem_of,
)

SIGN_UP = {
    "ClientId": APP,
    "Username": EMAIL,
    "Password": PASSWORD,
    "UserAttributes": [{"Name": "email", "Value": EMAIL}, {"Name": "name", "Value": "Ana Lima"}],
}


@pytest.fixture
def cognito() -> Iterator[CognitoHarness]:
    with CognitoHarness() as harness:
        yield harness


EXISTS = "An account with the given email already exists."


def confirmed(cognito: CognitoHarness, code: str = "123456", sign_up_id: UUID | None = None) -> str | None:
    return problem_of(cognito.provider.confirm_sign_up(" Ana@example.com", code, sign_up_id))


def finds(cognito: CognitoHarness, status: str = "UNCONFIRMED") -> None:
    """The next call looks up the user of the address."""
    cognito.answers("admin_get_user", {"UserPoolId": POOL, "Username": EMAIL}, got_user(status))


def opened(cognito: CognitoHarness, sub: UUID = SUB) -> UUID:
    """The id of a sign-up."""
    cognito.answers("sign_up", SIGN_UP, {"UserConfirmed": False, "UserSub": str(sub), **DELIVERY})
    made = cognito.provider.sign_up(" Ana@Example.com ", PASSWORD, " Ana Lima ")
    assert isinstance(made, UUID)
    return made


# Signing up


def test_who_signs_up_does_so_without_a_secret_of_the_client(cognito: CognitoHarness) -> None:
    made = opened(cognito)
    assert made != SUB, "which others see later"
    assert made.version == 4, "as random as where there is an account"


def test_a_user_whom_nobody_has_confirmed_is_replaced(cognito: CognitoHarness) -> None:
    cognito.refuses("sign_up", "UsernameExistsException", EXISTS, SIGN_UP)
    finds(cognito)
    cognito.answers("admin_delete_user", {"UserPoolId": POOL, "Username": str(SUB)})
    opened(cognito, uuid4())


@pytest.mark.parametrize("status", ["CONFIRMED", "FORCE_CHANGE_PASSWORD", "RESET_REQUIRED", "EXTERNAL_PROVIDER"])
def test_an_account_is_not_replaced(cognito: CognitoHarness, status: str) -> None:
    cognito.refuses("sign_up", "UsernameExistsException", EXISTS, SIGN_UP)
    finds(cognito, status)
    assert problem_of(cognito.provider.sign_up(EMAIL, PASSWORD, "Ana Lima")) == "email_in_use"


def test_a_sign_up_that_another_one_overtook_while_it_replaced_a_user_is_answered_alike(
    cognito: CognitoHarness,
) -> None:
    cognito.refuses("sign_up", "UsernameExistsException", EXISTS, SIGN_UP)
    finds(cognito)
    cognito.refuses("admin_delete_user", "UserNotFoundException")
    cognito.refuses("sign_up", "UsernameExistsException", EXISTS, SIGN_UP)
    assert isinstance(cognito.provider.sign_up(EMAIL, PASSWORD, "Ana Lima"), UUID)


@pytest.mark.parametrize(
    ("code", "message", "problem"),
    [
        ("InvalidPasswordException", "Password did not conform with policy: not long enough", "weak_password"),
        ("InvalidParameterException", "1 validation error detected: Value at 'password' failed", "weak_password"),
        ("LimitExceededException", "Exceeded daily email limit", "too_many_attempts"),
    ],
)
def test_what_cognito_refuses_of_a_sign_up_is_reported(
    cognito: CognitoHarness, code: str, message: str, problem: str
) -> None:
    cognito.refuses("sign_up", code, message)
    assert problem_of(cognito.provider.sign_up(EMAIL, PASSWORD, "Ana")) == problem


@pytest.mark.parametrize("code", [*AWAY, "InvalidParameterException", "UnexpectedLambdaException"])
def test_what_is_nobodys_answer_is_no_answer_to_who_signs_up(cognito: CognitoHarness, code: str) -> None:
    cognito.refuses("sign_up", code, "The client is not enabled for what is asked.")
    with pytest.raises(ProviderUnavailableError, match=code):
        cognito.provider.sign_up(EMAIL, PASSWORD, "Ana")


# Confirming


def test_a_code_is_passed_on_as_a_number(cognito: CognitoHarness) -> None:
    cognito.answers("confirm_sign_up", {"ClientId": APP, "Username": EMAIL, "ConfirmationCode": "123456"})
    assert confirmed(cognito, " 123 456\n") is None


def test_with_its_id_a_sign_up_is_confirmed_by_its_own_user(cognito: CognitoHarness) -> None:
    made = opened(cognito)
    finds(cognito)
    cognito.answers("confirm_sign_up", {"ClientId": APP, "Username": str(SUB), "ConfirmationCode": "123456"})
    assert confirmed(cognito, sign_up_id=made) is None


def test_the_id_of_a_sign_up_that_was_replaced_makes_a_code_wrong_without_a_try(cognito: CognitoHarness) -> None:
    replaced = opened(cognito, uuid4())
    finds(cognito)
    assert confirmed(cognito, sign_up_id=replaced) == "wrong_code"
    cognito.refuses("admin_get_user", "UserNotFoundException")
    assert confirmed(cognito, sign_up_id=replaced) == "wrong_code"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("CodeMismatchException", "Invalid verification code provided, please try again."),
        ("ExpiredCodeException", "Invalid code provided, please request a code again."),
        ("InvalidParameterException", "Value at 'confirmationCode' failed to satisfy constraint"),
        ("UserNotFoundException", "Username/client id combination not found."),
        ("NotAuthorizedException", "User cannot be confirmed. Current status is CONFIRMED"),
        ("NotAuthorizedException", "User is disabled."),
        ("TooManyFailedAttemptsException", ""),
        ("LimitExceededException", "Attempt limit exceeded, please try after some time."),
        ("AliasExistsException", "An account with the email already exists."),
    ],
)
def test_whatever_cognito_has_against_a_confirmation_is_a_wrong_code(
    cognito: CognitoHarness, code: str, message: str
) -> None:
    for refusal in (("CodeMismatchException", ""), (code, message)):
        cognito.refuses("confirm_sign_up", *refusal)
    assert cognito.provider.confirm_sign_up(EMAIL, "123456") == cognito.provider.confirm_sign_up(EMAIL, "123456")


@pytest.mark.parametrize("code", ["", "  \n"])
def test_no_code_is_a_wrong_code_without_a_question(cognito: CognitoHarness, code: str) -> None:
    assert confirmed(cognito, code) == "wrong_code"


@pytest.mark.parametrize("code", AWAY)
def test_what_is_nobodys_answer_is_no_answer_to_who_confirms(cognito: CognitoHarness, code: str) -> None:
    cognito.refuses("confirm_sign_up", code)
    with pytest.raises(ProviderUnavailableError, match=code):
        confirmed(cognito)


# Sending the code again


def test_a_code_is_sent_again(cognito: CognitoHarness) -> None:
    cognito.answers("resend_confirmation_code", {"ClientId": APP, "Username": EMAIL}, DELIVERY)
    cognito.provider.resend_code(" Ana@Example.com")


def test_with_its_id_a_code_is_sent_again_of_a_sign_up_that_was_not_replaced(cognito: CognitoHarness) -> None:
    made = opened(cognito)
    finds(cognito)
    cognito.answers("resend_confirmation_code", {"ClientId": APP, "Username": str(SUB)}, DELIVERY)
    cognito.provider.resend_code(EMAIL, made)
    finds(cognito)
    cognito.provider.resend_code(EMAIL, uuid4())


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("UserNotFoundException", "Username/client id combination not found."),
        ("InvalidParameterException", "User is already confirmed."),
        ("NotAuthorizedException", "User is disabled."),
        ("LimitExceededException", "Attempt limit exceeded, please try after some time."),
    ],
)
def test_resending_a_code_does_not_reveal_whether_an_account_exists(
    cognito: CognitoHarness, code: str, message: str
) -> None:
    cognito.refuses("resend_confirmation_code", code, message)
    cognito.provider.resend_code(EMAIL)


@pytest.mark.parametrize("code", AWAY)
def test_a_code_that_cannot_be_sent_again_for_now_is_not_said_to_be_sent(cognito: CognitoHarness, code: str) -> None:
    cognito.refuses("resend_confirmation_code", code)
    with pytest.raises(ProviderUnavailableError, match=code):
        cognito.provider.resend_code(EMAIL)
