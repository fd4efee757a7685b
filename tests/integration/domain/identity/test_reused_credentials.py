"""Refresh tokens and codes that come twice, at once and in every order, with sessions on each store."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from deployments.identity.backend import IdentityBackend
from deployments.identity.local_functions import LocalFunctions
from deployments.identity.services import IdentityServices, identity_services
from deployments.identity.sign_in import SignInService
from deployments.identity.signed_in import SignedIn
from deployments.service_host import DatabaseUnavailableError, ServiceHost, name_of
from domain.identity.model import Client, IdentityProblem, IdentityRefusal, ReusedCredential, Tokens
from domain.identity.session_repository import SessionRepository
from domain.identity.tables import sessions
from domain.unit_of_work import Store
from integrations.local_identity.provider import LocalProvider
from tests.mailbox import Mailbox
from tests.unit.integrations.local_identity.harness import EMAIL, LIGHT, PASSWORD, REDIRECT, light_settings
from tests.world import World

PHONE = Client("phone", "192.0.2.1")
THIEF = Client("phone", "198.51.100.7")
AT_ONCE = 20


class Slow(LocalProvider):
    """Lets something happen between what the provider has answered and what the services makes of it."""

    meanwhile: Callable[[], object] | None = None

    def refresh(self, *args: Any, **named: Any) -> Tokens | IdentityRefusal | ReusedCredential:  # noqa: ANN401
        return self._then(super().refresh(*args, **named))

    def exchange_code(self, *args: Any, **named: Any) -> Tokens | IdentityRefusal | ReusedCredential:  # noqa: ANN401
        return self._then(super().exchange_code(*args, **named))

    def _then(self, answer: Tokens | IdentityRefusal | ReusedCredential) -> Tokens | IdentityRefusal | ReusedCredential:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return answer


@pytest.fixture
def provider(world: World, tmp_path: Path) -> Iterator[Slow]:
    provider = Slow(light_settings(tmp_path), Mailbox(), world.clock)
    provider.create(EMAIL, "Ana", PASSWORD)
    yield provider
    provider.close()


@pytest.fixture
def services(world: World, provider: Slow) -> IdentityServices:
    return identity_services(world.store, _outside(provider), LIGHT, world.clock)


def _outside(provider: LocalProvider) -> IdentityBackend:
    return IdentityBackend(provider, provider, LocalFunctions(provider), Mailbox())


def signed_in(services: IdentityServices) -> SignedIn:
    answer = services.sign_in.sign_in(EMAIL, PASSWORD, PHONE)
    assert isinstance(answer, SignedIn)
    return answer


def code_of(provider: LocalProvider) -> str:
    code = provider.authorize(EMAIL, PASSWORD, REDIRECT, None)
    assert isinstance(code, str)
    return code


def living(world: World) -> set[UUID]:
    """The sessions whose access tokens are accepted."""
    with world.store.reading() as connection:
        known = list(connection.execute(select(sessions.c.id)).scalars())
        return set(SessionRepository(connection).states(known))


def at_once(call: Callable[[int], SignedIn | IdentityRefusal]) -> list[SignedIn | IdentityRefusal]:
    begin = Barrier(AT_ONCE)

    def one(number: int) -> SignedIn | IdentityRefusal:
        begin.wait(timeout=30)
        return call(number)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(one, range(AT_ONCE)))


def test_all_tabs_that_refresh_at_once_go_on_with_one_token(world: World, services: IdentityServices) -> None:
    first = signed_in(services)
    answers = at_once(lambda _: services.sign_in.refresh(first.tokens.refresh_token, PHONE))
    assert {each.session_id for each in answers if isinstance(each, SignedIn)} == {first.session_id}
    assert len({each.tokens.refresh_token if isinstance(each, SignedIn) else "refused" for each in answers}) == 1
    assert living(world) == {first.session_id}


def test_a_token_that_is_used_from_everywhere_at_once_ends_its_session(
    world: World, services: IdentityServices
) -> None:
    first, other = signed_in(services), signed_in(services)
    at_once(lambda number: services.sign_in.refresh(first.tokens.refresh_token, Client("phone", f"192.0.2.{number}")))
    assert living(world) == {other.session_id}
    assert isinstance(services.sign_in.refresh(other.tokens.refresh_token, PHONE), SignedIn)


def test_a_code_that_is_used_by_many_at_once_leaves_no_session(
    world: World, services: IdentityServices, provider: Slow
) -> None:
    code = code_of(provider)
    answers = at_once(lambda _: services.sign_in.sign_in_by_code(code, REDIRECT, None, PHONE))
    assert sum(isinstance(each, SignedIn) for each in answers) <= 1
    assert living(world) == set()


def test_reuse_ends_a_session_whose_row_is_not_written_yet(
    world: World, services: IdentityServices, provider: Slow
) -> None:
    code = code_of(provider)
    provider.meanwhile = lambda: services.sign_in.sign_in_by_code(code, REDIRECT, None, THIEF)
    answer = services.sign_in.sign_in_by_code(code, REDIRECT, None, PHONE)
    assert isinstance(answer, IdentityRefusal)
    assert answer.problem is IdentityProblem.SESSION_OVER
    assert living(world) == set()


def test_reuse_during_a_refresh_ends_the_session(world: World, services: IdentityServices, provider: Slow) -> None:
    first = signed_in(services)
    provider.meanwhile = lambda: services.sign_in.refresh(first.tokens.refresh_token, THIEF)
    answer = services.sign_in.refresh(first.tokens.refresh_token, PHONE)
    assert isinstance(answer, IdentityRefusal)
    assert answer.problem is IdentityProblem.SESSION_OVER
    assert living(world) == set()


def test_a_session_that_could_not_be_ended_is_ended_when_any_of_its_tokens_comes_again(
    world: World, services: IdentityServices, provider: Slow
) -> None:
    first = signed_in(services)
    second = services.sign_in.refresh(first.tokens.refresh_token, PHONE)
    assert isinstance(second, SignedIn)
    assert isinstance(provider.refresh(first.tokens.refresh_token, THIEF), ReusedCredential)
    assert living(world) == {first.session_id}, "as after a failure of the database"
    assert isinstance(services.sign_in.refresh(second.tokens.refresh_token, PHONE), IdentityRefusal)
    assert living(world) == set()


def test_a_token_is_not_spent_while_the_database_is_unavailable(services: IdentityServices, provider: Slow) -> None:
    first, code = signed_in(services), code_of(provider)
    host = ServiceHost(
        identity_services(Store("mysql+pymysql://nobody@127.0.0.1:1/nothing"), _outside(provider), LIGHT)
    )
    with pytest.raises(DatabaseUnavailableError):
        host.call(name_of(SignInService.refresh), first.tokens.refresh_token, PHONE)
    with pytest.raises(DatabaseUnavailableError):
        host.call(name_of(SignInService.sign_in_by_code), code, REDIRECT, None, PHONE)
    assert isinstance(services.sign_in.refresh(first.tokens.refresh_token, THIEF), SignedIn)
    assert isinstance(services.sign_in.sign_in_by_code(code, REDIRECT, None, PHONE), SignedIn)
