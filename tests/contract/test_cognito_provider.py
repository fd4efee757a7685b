"""`CognitoProvider` and `CognitoDirectory` with boto3 against moto's Cognito, over HTTP.

What moto cannot do or does otherwise than Cognito, and is therefore tested at boto3's wire level, in
`tests/unit/integrations/cognito`:

- `RevokeToken` and `ResendConfirmationCode` do not exist.
- `AdminUserGlobalSignOut` looks for refresh tokens by the name that was signed in with, so by `sub` it ends none.
- `ConfirmSignUp` takes any code; `ConfirmForgotPassword` any that does not begin with moto's own prefix, and of an
  address without an account it says `ResourceNotFoundException`.
- No code is sent to anybody, none expires, and nothing is ever asked too often.
- A token of a list that is none is refused by the name `InvalidToken`; at Cognito it is `InvalidParameterException`.
- No triggers are called, so that nobody who signs up is put into the group `User`.
- Neither disabling an account nor a new password ends a session, and access tokens are never revoked.
- There is no hosted sign-in page and no token endpoint.
- All pools sign with one key, which is in moto's source.
"""

import asyncio
from collections.abc import Iterator

import pytest

from domain.identity.model import Role
from domain.identity.ports import Directory, IdentityProvider, ProviderUnavailableError
from integrations.cognito.directory import CognitoDirectory
from integrations.cognito.provider import CognitoProvider
from integrations.tokens import TokenRefusal, TokenRefusedError, TokenUse, TokenVerifier
from tests.contract.identity_provider_contract import (
    EMAIL,
    IdentityProviderContract,
    created,
    problem_of,
    signed_in,
)
from tests.moto_server import MotoPool, moto_server, new_pool


@pytest.fixture(scope="module")
def cognito() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def pool(cognito: str) -> MotoPool:
    return new_pool(cognito)


@pytest.fixture
def provider(pool: MotoPool) -> CognitoProvider:
    return CognitoProvider(pool.identity, pool.client)


@pytest.fixture
def directory(pool: MotoPool) -> CognitoDirectory:
    return CognitoDirectory(pool.identity.user_pool_id, client=pool.client)


def verified(pool: MotoPool, token: str, use: TokenUse = TokenUse.ACCESS) -> object:
    """The caller, or why the token was refused."""
    try:
        return asyncio.run(TokenVerifier(pool.identity, use).verify(token))
    except TokenRefusedError as error:
        return error.reason


class TestCognitoProvider(IdentityProviderContract):
    def code_for(self, email: str) -> str:
        assert email
        return "123456"

    def wrong_code_for(self, email: str) -> str:
        assert email
        return "moto-confirmation-code:000000"


# What the suite leaves out, as far as moto can show it


def test_a_directory_of_more_than_one_call_comes_in_one_page(pool: MotoPool) -> None:
    # Straight from the client: an account by `create` takes four calls.
    for number in range(65):
        pool.client.admin_create_user(UserPoolId=pool.identity.user_pool_id, Username=f"member{number}@example.com")
    directory = CognitoDirectory(pool.identity.user_pool_id, client=pool.client)
    page = directory.page(62, None)
    rest = directory.page(62, page.next)
    assert (len(page.items), len(rest.items), rest.next) == (62, 3, None)
    assert len({account.sub for account in (*page.items, *rest.items)}) == 65


@pytest.mark.parametrize("after", ["none", "a b", "é", "eyJhIjogMX0="])
def test_what_is_no_next_of_a_list_does_not_continue_it(
    provider: IdentityProvider, directory: Directory, after: str
) -> None:
    created(provider)
    with pytest.raises(ValueError, match="cannot be continued"):
        directory.page(10, after)


def test_a_group_that_is_missing_is_made_by_the_first_who_joins_it(
    provider: CognitoProvider, directory: CognitoDirectory, pool: MotoPool
) -> None:
    account = created(provider)
    pool.client.delete_group(UserPoolId=pool.identity.user_pool_id, GroupName=Role.ADMIN)
    assert directory.enabled_members_of(Role.ADMIN) == set()
    directory.remove_from_group(account.sub, Role.ADMIN)
    directory.add_to_group(account.sub, Role.ADMIN)
    assert directory.enabled_members_of(Role.ADMIN) == {account.sub}


def test_a_pool_that_is_missing_is_not_an_empty_one(pool: MotoPool) -> None:
    nowhere = CognitoDirectory("eu-west-1_nowhere", client=pool.client)
    with pytest.raises(ProviderUnavailableError):
        nowhere.page(10, None)
    with pytest.raises(ProviderUnavailableError):
        nowhere.enabled_members_of(Role.ADMIN)


def test_a_weak_first_password_makes_no_account(provider: CognitoProvider) -> None:
    assert problem_of(provider.create(EMAIL, "Ana", "Short 7!")) is not None
    assert provider.account_of(EMAIL) is None
    created(provider)


def test_an_account_is_not_found_by_a_piece_of_another_question(provider: CognitoProvider) -> None:
    created(provider)
    assert provider.account_of('nobody" or email ^= "') is None


# Tokens of moto's, by the keys that it shows


def test_both_tokens_of_a_sign_in_are_verified_each_as_what_it_is(
    provider: CognitoProvider, directory: CognitoDirectory, pool: MotoPool
) -> None:
    account = created(provider)
    directory.add_to_group(account.sub, Role.STAFF)
    tokens = signed_in(provider)
    access = asyncio.run(TokenVerifier(pool.identity).verify(tokens.access_token))
    identity = asyncio.run(TokenVerifier(pool.identity, TokenUse.ID).verify(tokens.id_token))
    assert access.user_id == identity.user_id == account.sub
    assert access.session_id == identity.session_id
    assert access.roles == identity.roles == {Role.USER, Role.STAFF}
    assert (identity.email, identity.name) == (EMAIL, "Ana Lima")


def test_a_token_of_one_kind_is_refused_for_the_other(provider: CognitoProvider, pool: MotoPool) -> None:
    created(provider)
    tokens = signed_in(provider)
    assert verified(pool, tokens.id_token) is TokenRefusal.WRONG_USE
    assert verified(pool, tokens.access_token, TokenUse.ID) is TokenRefusal.WRONG_USE


def test_a_token_of_another_pool_is_refused_though_the_same_key_signed_it(
    provider: CognitoProvider, cognito: str
) -> None:
    created(provider)
    assert verified(new_pool(cognito), signed_in(provider).access_token) is TokenRefusal.WRONG_ISSUER


def test_a_token_of_another_client_of_the_pool_is_refused(provider: CognitoProvider, pool: MotoPool) -> None:
    created(provider)
    other = pool.client.create_user_pool_client(UserPoolId=pool.identity.user_pool_id, ClientName="other")
    identity = pool.identity.model_copy(update={"client_id": other["UserPoolClient"]["ClientId"]})
    tokens = signed_in(CognitoProvider(identity, pool.client))
    assert verified(pool, tokens.access_token) is TokenRefusal.WRONG_CLIENT
    assert verified(pool, tokens.id_token, TokenUse.ID) is TokenRefusal.WRONG_CLIENT
