"""A way to Cognito that fails, over HTTP: nothing but `ProviderAwayError` comes of it, and seldom even that."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from domain.identity.model import Tokens
from domain.identity.ports import ProviderAwayError
from integrations.cognito.client import open_client
from integrations.cognito.directory import CognitoDirectory
from integrations.cognito.provider import CognitoProvider
from integrations.settings import IdentitySettings
from tests.moto_server import NOBODYS_KEYS
from tests.unit.identity.answering_server import AnsweringServer, answering_server
from tests.unit.identity.cognito_rig import APP, EMAIL, OTHER_PASSWORD, PASSWORD, POOL, REGION, SUB

NOBODY_IS_THERE = "http://127.0.0.1:9"
IDENTITY = IdentitySettings(user_pool_id=POOL, client_id=APP, region=REGION)
SIGNED_IN = b'{"AuthenticationResult": {"AccessToken": "a", "IdToken": "i", "RefreshToken": "r", "ExpiresIn": 3600}}'
THROTTLED = b'{"__type": "TooManyRequestsException", "message": "Rate exceeded"}'
Call = Callable[[CognitoProvider, CognitoDirectory], object]
CALLS: dict[str, Call] = {
    "sign_up": lambda provider, _: provider.sign_up(EMAIL, PASSWORD, "Ana"),
    "confirm_sign_up": lambda provider, _: provider.confirm_sign_up(EMAIL, "123456"),
    "resend_code": lambda provider, _: provider.resend_code(EMAIL),
    "sign_in": lambda provider, _: provider.sign_in(EMAIL, PASSWORD),
    "refresh": lambda provider, _: provider.refresh("token"),
    "revoke": lambda provider, _: provider.revoke("token"),
    "sign_out_everywhere": lambda provider, _: provider.sign_out_everywhere(SUB),
    "forgot_password": lambda provider, _: provider.forgot_password(EMAIL),
    "reset_password": lambda provider, _: provider.reset_password(EMAIL, "123456", PASSWORD),
    "change_password": lambda provider, _: provider.change_password("token", PASSWORD, OTHER_PASSWORD),
    "create": lambda provider, _: provider.create(EMAIL, "Ana", PASSWORD),
    "account": lambda provider, _: provider.account(SUB),
    "account_of": lambda provider, _: provider.account_of(EMAIL),
    "rename": lambda provider, _: provider.rename(SUB, "Ana"),
    "set_enabled": lambda provider, _: provider.set_enabled(SUB, enabled=False),
    "delete": lambda provider, _: provider.delete(SUB),
    "page": lambda _, directory: directory.page(10, "here"),
    "enabled_members_of": lambda _, directory: directory.enabled_members_of("Admin"),
    "add_to_group": lambda _, directory: directory.add_to_group(SUB, "Admin"),
    "remove_from_group": lambda _, directory: directory.remove_from_group(SUB, "Admin"),
}


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    with answering_server() as server:
        yield server


def impatient_client(url: str) -> Any:  # noqa: ANN401 - boto3 has no types
    """One that asks once and waits half a second."""
    config = Config(connect_timeout=0.5, read_timeout=0.5, retries={"total_max_attempts": 1})
    return boto3.client("cognito-idp", region_name=REGION, endpoint_url=url, config=config, **NOBODYS_KEYS)


def call(name: str, client: Any) -> object:  # noqa: ANN401 - boto3 has no types
    return CALLS[name](CognitoProvider(IDENTITY, client), CognitoDirectory(POOL, client=client))


@pytest.mark.parametrize("name", CALLS)
def test_where_nobody_answers_every_call_says_so(name: str) -> None:
    with pytest.raises(ProviderAwayError, match="EndpointConnectionError"):
        call(name, impatient_client(NOBODY_IS_THERE))


@pytest.mark.parametrize("name", ["sign_in", "page", "add_to_group"])
def test_who_is_slow_is_away(server: AnsweringServer, name: str) -> None:
    server.may_answer.clear()
    with pytest.raises(ProviderAwayError, match="ReadTimeoutError"):
        call(name, impatient_client(server.url))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "answer", [(400, THROTTLED), (500, b'{"__type": "InternalErrorException"}'), (503, b"<html>"), (502, b"")]
)
def test_a_refusal_that_is_nobodys_answer_is_never_one(
    server: AnsweringServer, name: str, answer: tuple[int, bytes]
) -> None:
    server.answers = [answer]
    with pytest.raises(ProviderAwayError):
        call(name, impatient_client(server.url))


def test_whoever_asked_too_often_is_asked_for_again_by_the_client_itself(server: AnsweringServer) -> None:
    server.answers = [(400, THROTTLED), (500, b""), (200, SIGNED_IN)]
    provider = CognitoProvider(IDENTITY, open_client("cognito-idp", REGION, server.url, **NOBODYS_KEYS))
    assert provider.sign_in(EMAIL, PASSWORD) == Tokens("a", "i", "r", 3600)
    assert len(server.bodies) == 3


def test_a_provider_opens_a_client_of_its_own_where_the_settings_say(
    server: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    server.answers = [(200, SIGNED_IN)]
    identity = IDENTITY.model_copy(update={"endpoint_url": server.url})
    assert CognitoProvider(identity).sign_in(EMAIL, PASSWORD) == Tokens("a", "i", "r", 3600)
    server.answers = [(200, b'{"Users": []}')]
    assert CognitoDirectory(POOL, region=REGION, endpoint_url=server.url).page(10, None).items == ()
