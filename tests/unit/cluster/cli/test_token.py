"""`fitmonitor token` prints a token that the gateway accepts."""

import asyncio
import json
from collections.abc import Iterator

import jwt
import pytest

from cluster.cli.api.errors import NotFoundError
from domain.identity.model import Caller, Client, Role, User
from domain.identity.ports import Account
from domain.identity.service import know_caller
from domain.unit_of_work import Store
from integrations.tokens import TokenRefusedError, TokenVerifier
from tests.unit.cluster.installation import Installation
from tests.world import START

EMAIL = "olga@example.org"


@pytest.fixture
def store(installation: Installation) -> Iterator[Store]:
    store = installation.store()
    yield store
    store.close()


def caller_of(installation: Installation, email: str = EMAIL) -> Caller:
    done = installation.run("token", email)
    assert done.exit_code == 0, done.exception
    return asyncio.run(TokenVerifier(installation.settings.identity).verify(done.output.strip()))


def known(store: Store, caller: Caller) -> User:
    with store.writing() as connection:
        user = know_caller(connection, caller, Client(), START)
    assert isinstance(user, User), user
    return user


def test_each_token_begins_a_session_of_an_account_that_never_signed_in(
    installation: Installation, store: Store
) -> None:
    assert installation.run("admin", "create", EMAIL).exit_code == 0
    account = installation.provider.account_of(EMAIL)
    assert account is not None
    one = caller_of(installation)
    assert one.user_id == account.sub
    assert known(store, one).email == EMAIL
    another = caller_of(installation)
    assert another.session_id != one.session_id
    assert known(store, another).id == account.sub
    assert Role.ADMIN in another.roles


def test_an_unconfirmed_account_gets_no_token(installation: Installation, store: Store) -> None:
    installation.provider.sign_up(EMAIL, "a password of a stranger", "Not Olga")
    done = installation.run("token", EMAIL)
    assert "no user of this stack" in str(done.exception)
    assert isinstance(done.exception, NotFoundError)
    store.close()


def test_without_an_account_the_user_of_the_database_is_used(installation: Installation, store: Store) -> None:
    account = installation.provider.create(EMAIL, "Olga", None)
    assert isinstance(account, Account)
    known(store, Caller(account.sub, ("Staff",), account.sub, START, START, email=EMAIL, name="Olga"))
    installation.provider.delete(account.sub)
    caller = caller_of(installation, EMAIL.upper())
    assert (caller.user_id, caller.groups) == (account.sub, ("Staff",))
    assert known(store, caller).name == "Olga"


@pytest.mark.usefixtures("store")
def test_after_a_rotation_new_tokens_have_the_new_key_and_earlier_tokens_stay_valid(installation: Installation) -> None:
    assert installation.run("admin", "create", EMAIL).exit_code == 0
    earlier = installation.run("token", EMAIL).output.strip()
    rotated = json.loads(installation.run("identity", "rotate-key", "--json").output)
    new = installation.run("token", EMAIL).output.strip()
    assert jwt.get_unverified_header(new)["kid"] == rotated["key_id"]
    assert rotated["verifying"] == [jwt.get_unverified_header(earlier)["kid"]]
    assert rotated["retired"] == []
    verifier = TokenVerifier(installation.settings.identity)
    for token in (earlier, new):
        assert asyncio.run(verifier.verify(token)).user_id


@pytest.mark.usefixtures("store")
def test_tokens_of_retired_keys_are_refused(installation: Installation) -> None:
    assert installation.run("admin", "create", EMAIL).exit_code == 0
    earlier = installation.run("token", EMAIL).output.strip()
    assert "Removed: " in installation.run("identity", "rotate-key", "--retire").output
    new = installation.run("token", EMAIL).output.strip()
    verifier = TokenVerifier(installation.settings.identity)
    assert asyncio.run(verifier.verify(new)).user_id
    with pytest.raises(TokenRefusedError):
        asyncio.run(verifier.verify(earlier))
