"""A way to Cognito that fails, over HTTP: nothing but `ProviderUnavailableError` comes of it, and seldom even that."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config

from deployments.identity.services import ANSWERS_WITHIN_S, CALLERS_WAIT_S
from deployments.service_host import MethodName, ServiceHost
from domain.identity.model import Tokens
from domain.identity.ports import ProviderUnavailableError
from integrations.cognito.client import (
    FUNCTION_TIME_LIMIT_S,
    IDENTITY_POLICY,
    INVOKE_POLICY,
    LAMBDA_POLICY,
    TRIGGER_TIME_LIMIT_S,
    RetryPolicy,
    TimeLimitExceededError,
    open_client,
)
from integrations.cognito.directory import CognitoDirectory
from integrations.cognito.provider import CognitoProvider
from integrations.settings import IdentitySettings
from integrations.time_limit import has_time_for, remaining_s, time_limit
from tests.moto_server import NOBODYS_KEYS
from tests.unit.integrations.cognito.harness import APP, EMAIL, OTHER_PASSWORD, PASSWORD, POOL, REGION, SUB
from tests.unit.integrations.cognito.scripted_server import ScriptedServer, scripted_server

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
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


def impatient_client(url: str) -> Any:  # noqa: ANN401 - boto3 has no types
    """One that asks once and waits half a second."""
    config = Config(connect_timeout=0.5, read_timeout=0.5, retries={"total_max_attempts": 1})
    return boto3.client("cognito-idp", region_name=REGION, endpoint_url=url, config=config, **NOBODYS_KEYS)


def call(name: str, client: Any) -> object:  # noqa: ANN401 - boto3 has no types
    return CALLS[name](CognitoProvider(IDENTITY, client), CognitoDirectory(POOL, client=client))


@pytest.mark.parametrize("name", CALLS)
def test_where_nobody_answers_every_call_says_so(name: str) -> None:
    with pytest.raises(ProviderUnavailableError, match="EndpointConnectionError"):
        call(name, impatient_client(NOBODY_IS_THERE))


@pytest.mark.parametrize("name", ["sign_in", "page", "add_to_group"])
def test_a_slow_server_is_unavailable(server: ScriptedServer, name: str) -> None:
    server.may_answer.clear()
    with pytest.raises(ProviderUnavailableError, match="ReadTimeoutError"):
        call(name, impatient_client(server.url))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "answer", [(400, THROTTLED), (500, b'{"__type": "InternalErrorException"}'), (503, b"<html>"), (502, b"")]
)
def test_a_refusal_that_is_nobodys_answer_is_never_one(
    server: ScriptedServer, name: str, answer: tuple[int, bytes]
) -> None:
    server.answers = [answer]
    with pytest.raises(ProviderUnavailableError):
        call(name, impatient_client(server.url))


@pytest.mark.parametrize("answer", [(400, THROTTLED), (500, b"")])
def test_a_refusal_that_may_pass_is_asked_again_by_the_client_itself(
    server: ScriptedServer, answer: tuple[int, bytes]
) -> None:
    server.answers = [answer, (200, SIGNED_IN)]
    provider = CognitoProvider(IDENTITY, open_client("cognito-idp", REGION, server.url, **NOBODYS_KEYS))
    assert provider.sign_in(EMAIL, PASSWORD) == Tokens("a", "i", "r", 3600)
    assert len(server.bodies) == 2


def test_a_provider_opens_a_client_of_its_own_where_the_settings_say(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    server.answers = [(200, SIGNED_IN)]
    identity = IDENTITY.model_copy(update={"endpoint_url": server.url})
    assert CognitoProvider(identity).sign_in(EMAIL, PASSWORD) == Tokens("a", "i", "r", 3600)
    server.answers = [(200, b'{"Users": []}')]
    assert CognitoDirectory(POOL, region=REGION, endpoint_url=server.url).page(10, None).items == ()


# How long all of it takes


def test_whoever_waits_gives_up_after_what_it_waits_for() -> None:
    assert IDENTITY_POLICY.call_s < CALLERS_WAIT_S, "one call, with all its attempts"
    assert ANSWERS_WITHIN_S + IDENTITY_POLICY.pause_s < CALLERS_WAIT_S, "all calls of one answer"
    assert INVOKE_POLICY.call_s <= ANSWERS_WITHIN_S
    assert FUNCTION_TIME_LIMIT_S + LAMBDA_POLICY.pause_s < INVOKE_POLICY.read_s
    cognito_waits_for_a_trigger_s = 5
    assert TRIGGER_TIME_LIMIT_S + LAMBDA_POLICY.pause_s < cognito_waits_for_a_trigger_s
    for policy, limit_s in ((IDENTITY_POLICY, ANSWERS_WITHIN_S), (LAMBDA_POLICY, TRIGGER_TIME_LIMIT_S)):
        assert policy.attempt_s < limit_s, "at least one attempt is made"


@pytest.mark.parametrize("policy", [IDENTITY_POLICY, INVOKE_POLICY, LAMBDA_POLICY])
def test_the_client_does_wait_so_long(policy: RetryPolicy) -> None:
    config = open_client("cognito-idp", REGION, NOBODY_IS_THERE, policy, **NOBODYS_KEYS).meta.config
    assert (config.connect_timeout, config.read_timeout) == (policy.connect_s, policy.read_s)
    assert (config.retries["mode"], config.retries["total_max_attempts"]) == ("standard", policy.attempts)


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_no_attempt_at_a_server_that_hangs_begins_that_could_not_end_in_time(
    server: ScriptedServer, attempts: int
) -> None:
    server.may_answer.clear()
    policy = RetryPolicy(connect_s=0.1, read_s=0.2, attempts=attempts)
    client = open_client("cognito-idp", REGION, server.url, policy, **NOBODYS_KEYS)
    limit_s = 5 * policy.attempt_s / 2

    def clock() -> float:
        """What the attempts that were made have taken at most."""
        return len(server.bodies) * policy.attempt_s

    with time_limit(limit_s, clock):
        errors = []
        for name in ("sign_in", "account", "refresh", "page"):  # as one answer may make several calls
            with pytest.raises(ProviderUnavailableError) as caught:
                call(name, client)
            errors.append(caught.value.__cause__)
    assert clock() <= limit_s
    assert len(server.bodies) == 2
    assert isinstance(errors[-1], TimeLimitExceededError)


def test_the_hosted_page_is_not_asked_either_when_no_time_is_left(server: ScriptedServer) -> None:
    identity = IDENTITY.model_copy(update={"hosted_url": server.url})
    provider = CognitoProvider(identity, impatient_client(server.url))
    with (
        time_limit(IDENTITY_POLICY.attempt_s / 2, lambda: 0.0),
        pytest.raises(ProviderUnavailableError, match="no time"),
    ):
        provider.exchange_code("code", "https://gym.test/", None)
    assert server.bodies == []


def test_a_limit_is_that_of_the_whole_answer_and_ends_with_it() -> None:
    now = 0.0

    class LimitedService:
        def has_time(self) -> bool:
            return has_time_for(11)

    @dataclass(frozen=True)
    class Services:
        limited: LimitedService

    host = ServiceHost(Services(LimitedService()), within_s=10)
    has_time = MethodName("LimitedService", "has_time")
    assert not host.call(has_time)
    with time_limit(20, lambda: now):
        assert host.call(has_time), "the outer limit counts"
        now = 15.0
        with time_limit(20, lambda: now):
            assert not has_time_for(6)
            assert [remaining_s(10), remaining_s(3)] == [5, 3]
        now = 21.0
        assert remaining_s(10) == 0
    assert has_time_for(1e9)
    assert remaining_s(10) == 10
