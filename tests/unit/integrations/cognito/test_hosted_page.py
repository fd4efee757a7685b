"""Cognito's own sign-in page and its token endpoint, which a server on this machine stands for."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from domain.identity.model import IdentityRefusal, Tokens
from domain.identity.pkce import challenge_of
from domain.identity.ports import ProviderUnavailableError
from tests.unit.integrations.cognito.harness import APP, CognitoHarness, problem_of
from tests.unit.integrations.cognito.scripted_server import ScriptedServer, scripted_server

REDIRECT = "https://gym.example.com/api/sessions/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
GRANTED = {
    "access_token": "access",
    "id_token": "id",
    "refresh_token": "refresh",
    "token_type": "Bearer",
    "expires_in": 3600,
}


@pytest.fixture
def page() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


def exchanged(page: ScriptedServer, verifier: str | None = VERIFIER) -> Tokens | IdentityRefusal:
    with CognitoHarness(hosted_url=f"{page.url}/") as cognito:
        return cognito.provider.exchange_code("code", REDIRECT, verifier)


def test_the_sign_in_page_is_asked_for_a_code_that_is_bound_to_a_challenge() -> None:
    with CognitoHarness(hosted_url="https://gym.auth.example.com/") as cognito:
        url = urlsplit(cognito.provider.authorize_url(REDIRECT, "state & more", challenge_of(VERIFIER)))
    assert (url.scheme, url.netloc, url.path) == ("https", "gym.auth.example.com", "/oauth2/authorize")
    assert parse_qs(url.query) == {
        "response_type": ["code"],
        "client_id": [APP],
        "redirect_uri": [REDIRECT],
        "state": ["state & more"],
        "scope": ["openid email profile aws.cognito.signin.user.admin"],
        "code_challenge": [challenge_of(VERIFIER)],
        "code_challenge_method": ["S256"],
    }


def test_a_code_is_exchanged_with_its_verifier_and_without_a_secret(page: ScriptedServer) -> None:
    page.answers = [(200, msgspec.json.encode(GRANTED))]
    assert exchanged(page) == Tokens("access", "id", "refresh", 3600)
    assert page.paths == ["/oauth2/token"]
    assert parse_qs(page.bodies[0]) == {
        "grant_type": ["authorization_code"],
        "client_id": [APP],
        "code": ["code"],
        "redirect_uri": [REDIRECT],
        "code_verifier": [VERIFIER],
    }


def test_a_code_that_was_asked_for_without_a_challenge_is_exchanged_without_a_verifier(page: ScriptedServer) -> None:
    page.answers = [(200, msgspec.json.encode(GRANTED))]
    exchanged(page, None)
    assert "code_verifier" not in parse_qs(page.bodies[0])


@pytest.mark.parametrize("error", ["invalid_grant", "invalid_request"])
def test_a_code_that_is_refused_is_a_wrong_code(page: ScriptedServer, error: str) -> None:
    page.answers = [(400, msgspec.json.encode({"error": error}))]
    assert problem_of(exchanged(page)) == "wrong_code"


@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client", "unsupported_grant_type"])
def test_a_client_that_is_refused_is_no_fault_of_the_code(page: ScriptedServer, error: str) -> None:
    page.answers = [(400, msgspec.json.encode({"error": error}))]
    with pytest.raises(ProviderUnavailableError):
        exchanged(page)


@pytest.mark.parametrize(
    "answer",
    [
        (500, b""),
        (503, b'{"error": "invalid_grant"}'),
        (429, b""),
        (401, b'{"error": "invalid_client"}'),
        (302, b""),
        (400, b"<html>"),
        (400, b'["invalid_grant"]'),
        (200, b""),
        (200, b"[]"),
        (200, b'{"access_token": "access"}'),
        (200, msgspec.json.encode({**GRANTED, "expires_in": "soon"})),
        (200, msgspec.json.encode({**GRANTED, "refresh_token": None})),
    ],
)
def test_a_page_with_a_useless_answer_is_unavailable(page: ScriptedServer, answer: tuple[int, bytes]) -> None:
    page.answers = [answer]
    with pytest.raises(ProviderUnavailableError):
        exchanged(page)


def test_a_page_without_a_server_is_unavailable() -> None:
    with (
        CognitoHarness(hosted_url="http://127.0.0.1:9") as cognito,
        pytest.raises(ProviderUnavailableError, match="ConnectError"),
    ):
        cognito.provider.exchange_code("code", REDIRECT, VERIFIER)


def test_without_a_page_the_setting_that_is_missing_is_named() -> None:
    with CognitoHarness() as cognito:
        with pytest.raises(ProviderUnavailableError, match="FITMONITOR_IDENTITY__HOSTED_URL"):
            cognito.provider.authorize_url(REDIRECT, "state", challenge_of(VERIFIER))
        with pytest.raises(ProviderUnavailableError, match="FITMONITOR_IDENTITY__HOSTED_URL"):
            cognito.provider.exchange_code("code", REDIRECT, VERIFIER)
