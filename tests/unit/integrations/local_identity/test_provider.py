"""What the local provider answers beyond what any provider does."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from uuid import UUID

import pytest

from domain.identity.model import IdentityProblem, Tokens
from domain.identity.ports import Account, MailUnavailableError
from integrations.local_identity.accounts import Accounts
from integrations.local_identity.keys import rotate_signing_key
from integrations.local_identity.passwords import Passwords
from integrations.local_identity.tables import AccountsFile
from integrations.settings import IdentitySettings
from integrations.tokens import TokenUse, TokenVerifier
from tests.contract.identity_provider_contract import claims_of
from tests.keys import signing_keys
from tests.unit.integrations.local_identity.harness import (
    EMAIL,
    LIGHT,
    OTHER_PASSWORD,
    PASSWORD,
    REDIRECT,
    ProviderHarness,
    problem_of,
)


class Hooks:
    """Triggers that remember what they were told."""

    def __init__(self) -> None:
        self.were_confirmed: list[Account] = []

    def confirmed(self, account: Account) -> None:
        self.were_confirmed.append(account)

    def groups_in_token(self, account: Account) -> tuple[str, ...]:
        return (*account.groups, "FromTrigger")


class Interrupted(Passwords):
    """Lets something happen between the proof of a password and what relies on it."""

    def __init__(self, identity: IdentitySettings = LIGHT) -> None:
        super().__init__(identity)
        self.meanwhile: Callable[[], object] | None = None

    def match(self, password: str, kept: str | None) -> bool:
        matched = super().match(password, kept)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return matched


class Counting(Passwords):
    """Counts how often a password is verified."""

    verified = 0

    def match(self, password: str, kept: str | None) -> bool:
        self.verified += 1
        return super().match(password, kept)


def kept_password(harness: ProviderHarness, sub: UUID) -> str | None:
    assert harness.settings.identity.accounts_file is not None
    file = AccountsFile(harness.settings.identity.accounts_file)
    try:
        with file.reading() as connection:
            return Accounts(connection).password_hash(sub)
    finally:
        file.close()


# Tokens


def test_tokens_are_verified_by_the_gateway_each_for_its_own_use(harness: ProviderHarness) -> None:
    account = harness.member()
    tokens = harness.signed_in()

    async def scenario() -> None:
        for use, token in ((TokenUse.ACCESS, tokens.access_token), (TokenUse.ID, tokens.id_token)):
            caller = await TokenVerifier(harness.settings.identity, use, clock=lambda: harness.now).verify(token)
            assert (caller.user_id, caller.email, caller.name) == (account.sub, EMAIL, "Ana Lima")
            assert caller.groups == ("User",)
            assert caller.issued_at == harness.now

    asyncio.run(scenario())


def test_tokens_have_the_claims_of_cognito(harness: ProviderHarness) -> None:
    account = harness.member()
    tokens = harness.signed_in()
    shared = {
        *("sub", "cognito:groups", "iss", "origin_jti", "auth_time", "iat", "exp", "jti", "token_use", "email", "name")
    }
    access, identity = claims_of(tokens.access_token), claims_of(tokens.id_token)
    assert set(access) == shared | {"client_id", "scope", "username"}
    assert set(identity) == shared | {"aud", "cognito:username", "email_verified"}
    assert access["username"] == identity["cognito:username"] == str(account.sub)


def test_the_life_of_access_tokens_is_set(harness: ProviderHarness) -> None:
    harness.member()
    tokens = harness.signed_in()
    claims = claims_of(tokens.access_token)
    assert claims["exp"] - claims["iat"] == tokens.expires_in == harness.settings.identity.token_minutes * 60


def test_a_key_that_was_rotated_signs_the_next_tokens(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    copytree(signing_keys(), keys)
    harness = ProviderHarness(tmp_path, keys=keys)
    harness.member()
    before = harness.signed_in()
    rotate_signing_key(keys)
    after = harness.signed_in()

    async def scenario() -> None:
        verifier = TokenVerifier(harness.settings.identity, clock=lambda: harness.now)
        for tokens in (before, after):
            assert (await verifier.verify(tokens.access_token)).email == EMAIL

    asyncio.run(scenario())
    harness.provider.close()
    assert before.access_token.partition(".")[0] != after.access_token.partition(".")[0]


# Triggers


def test_without_triggers_whoever_confirms_is_a_user(harness: ProviderHarness) -> None:
    harness.provider.sign_up(EMAIL, PASSWORD, "Ana")
    harness.provider.confirm_sign_up(EMAIL, harness.code())
    assert claims_of(harness.signed_in().access_token)["cognito:groups"] == ["User"]


def test_triggers_are_told_once_who_was_confirmed_and_say_the_groups_in_tokens(harness: ProviderHarness) -> None:
    hooks = Hooks()
    harness.provider.triggers = hooks
    harness.provider.sign_up(EMAIL, PASSWORD, "Ana")
    for _ in range(2):
        harness.provider.confirm_sign_up(EMAIL, harness.code())
    assert hooks.were_confirmed == [harness.provider.account_of(EMAIL)]
    tokens = harness.signed_in()
    for token in (tokens.access_token, harness.refreshed(tokens).id_token):
        assert claims_of(token)["cognito:groups"] == ["FromTrigger"]


# Sessions


def test_sessions_end_everywhere_for_one_account_alone(harness: ProviderHarness) -> None:
    account = harness.member()
    harness.member("bo@example.com")
    mine, other = [harness.signed_in(), harness.signed_in()], harness.provider.sign_in("bo@example.com", PASSWORD)
    code = harness.provider.authorize(EMAIL, PASSWORD, REDIRECT, None)
    harness.provider.sign_out_everywhere(account.sub)
    assert all(harness.is_over(tokens) for tokens in mine)
    assert isinstance(code, str)
    assert problem_of(harness.provider.exchange_code(code, REDIRECT, None)) is IdentityProblem.WRONG_CODE
    assert isinstance(other, Tokens)
    assert not harness.is_over(other)


def test_a_disabled_account_has_no_sessions_not_even_once_it_is_enabled_again(harness: ProviderHarness) -> None:
    account = harness.member()
    first, second = harness.signed_in(), harness.signed_in()
    harness.provider.set_enabled(account.sub, enabled=False)
    assert harness.is_over(first)
    harness.provider.set_enabled(account.sub, enabled=True)
    assert harness.is_over(second)


def test_only_the_right_password_reveals_that_the_account_is_disabled(harness: ProviderHarness) -> None:
    account = harness.member()
    harness.provider.set_enabled(account.sub, enabled=False)
    assert problem_of(harness.provider.sign_in(EMAIL, OTHER_PASSWORD)) is IdentityProblem.WRONG_CREDENTIALS
    assert problem_of(harness.provider.sign_in(EMAIL, PASSWORD)) is IdentityProblem.ACCOUNT_DISABLED


def test_a_deleted_account_has_no_sessions(harness: ProviderHarness) -> None:
    account = harness.member()
    tokens = harness.signed_in()
    harness.provider.delete(account.sub)
    harness.member()
    assert harness.is_over(tokens)


# What happens between the proof of a password and what relies on it


@pytest.fixture
def interrupted() -> Interrupted:
    return Interrupted()


@pytest.mark.parametrize("what", ["disabled", "deleted", "another password"])
@pytest.mark.parametrize("page", [False, True])
def test_an_account_that_changed_since_its_password_was_proven_gets_nothing(
    tmp_path: Path, interrupted: Interrupted, what: str, *, page: bool
) -> None:
    harness = ProviderHarness(tmp_path, interrupted)
    sub = harness.member().sub
    meanwhile: dict[str, Callable[[], object]] = {
        "disabled": lambda: harness.provider.set_enabled(sub, enabled=False),
        "deleted": lambda: harness.provider.delete(sub),
        "another password": lambda: harness.provider.set_password(sub, OTHER_PASSWORD),
    }
    interrupted.meanwhile = meanwhile[what]
    answer: object = (
        harness.provider.authorize(EMAIL, PASSWORD, REDIRECT, None)
        if page
        else harness.provider.sign_in(EMAIL, PASSWORD)
    )
    assert problem_of(answer) is IdentityProblem.WRONG_CREDENTIALS
    harness.provider.close()


def test_of_two_changes_of_a_password_at_once_the_first_one_stays(tmp_path: Path, interrupted: Interrupted) -> None:
    harness = ProviderHarness(tmp_path, interrupted)
    sub = harness.member().sub
    token = harness.signed_in().access_token
    interrupted.meanwhile = lambda: harness.provider.set_password(sub, OTHER_PASSWORD)
    late = harness.provider.change_password(token, PASSWORD, "yet another 9 heap")
    assert problem_of(late) is IdentityProblem.WRONG_CREDENTIALS
    harness.signed_in(OTHER_PASSWORD)
    harness.provider.close()


def test_hashing_anew_does_not_bring_an_old_password_back(tmp_path: Path) -> None:
    before = ProviderHarness(tmp_path)
    sub = before.member().sub
    before.provider.close()
    dearer = Interrupted(IdentitySettings(argon2_memory_kib=16, argon2_passes=1))
    harness = ProviderHarness(tmp_path, dearer)
    dearer.meanwhile = lambda: harness.provider.set_password(sub, OTHER_PASSWORD)
    assert problem_of(harness.provider.sign_in(EMAIL, PASSWORD)) is IdentityProblem.WRONG_CREDENTIALS
    harness.signed_in(OTHER_PASSWORD)
    harness.provider.close()


def test_a_password_is_hashed_anew_at_the_next_sign_in_once_the_costs_have_changed(tmp_path: Path) -> None:
    before = ProviderHarness(tmp_path)
    sub = before.member().sub
    before.signed_in()
    assert "m=8," in (kept_password(before, sub) or "")
    before.provider.close()
    harness = ProviderHarness(tmp_path, Passwords(IdentitySettings(argon2_memory_kib=16, argon2_passes=1)))
    harness.signed_in()
    assert "m=16," in (kept_password(harness, sub) or "")
    harness.signed_in()
    harness.provider.close()


# Passwords and mail


def test_a_password_is_changed_by_a_token_of_a_living_account_alone(harness: ProviderHarness) -> None:
    account = harness.member()
    token = harness.signed_in().access_token
    for broken in ("", "a.b.c", "a", "a.e30.c", "é.é.é"):
        answer = harness.provider.change_password(broken, PASSWORD, OTHER_PASSWORD)
        assert problem_of(answer) is IdentityProblem.SESSION_OVER
    harness.provider.set_enabled(account.sub, enabled=False)
    answer = harness.provider.change_password(token, PASSWORD, OTHER_PASSWORD)
    assert problem_of(answer) is IdentityProblem.SESSION_OVER
    harness.provider.delete(account.sub)
    answer = harness.provider.change_password(token, PASSWORD, OTHER_PASSWORD)
    assert problem_of(answer) is IdentityProblem.SESSION_OVER


def test_an_account_whose_code_could_not_be_sent_is_not_made(harness: ProviderHarness) -> None:
    harness.mailbox.is_away = True
    with pytest.raises(MailUnavailableError):
        harness.provider.sign_up(EMAIL, PASSWORD, "Ana")
    assert harness.provider.account_of(EMAIL) is None
    harness.mailbox.is_away = False
    assert isinstance(harness.provider.sign_up(EMAIL, PASSWORD, "Ana"), UUID)


def test_requesting_a_code_while_mail_is_unavailable_fails(harness: ProviderHarness) -> None:
    harness.member()
    harness.mailbox.is_away = True
    with pytest.raises(MailUnavailableError):
        harness.provider.forgot_password(EMAIL)


def test_a_reset_of_an_unknown_address_is_answered_as_one_with_a_wrong_code(harness: ProviderHarness) -> None:
    harness.member()
    harness.provider.forgot_password(EMAIL)
    wrong = harness.provider.reset_password(EMAIL, harness.other_code(), OTHER_PASSWORD)
    assert problem_of(wrong) is IdentityProblem.WRONG_CODE
    assert harness.provider.reset_password("nobody@example.com", harness.code(), OTHER_PASSWORD) == wrong


@pytest.mark.parametrize("page", [False, True])
def test_a_wrong_password_costs_as_much_for_an_account_an_open_sign_up_and_none(tmp_path: Path, *, page: bool) -> None:
    passwords = Counting(LIGHT)
    harness = ProviderHarness(tmp_path, passwords)
    harness.member()
    harness.provider.sign_up("waiting@example.com", PASSWORD, "Bo")
    cost = set()
    for email in (EMAIL, "waiting@example.com", "nobody@example.com"):
        before = passwords.verified
        answer: object = (
            harness.provider.authorize(email, OTHER_PASSWORD, REDIRECT, None)
            if page
            else harness.provider.sign_in(email, OTHER_PASSWORD)
        )
        assert problem_of(answer) is IdentityProblem.WRONG_CREDENTIALS
        cost.add(passwords.verified - before)
    assert len(cost) == 1
    harness.provider.close()


def test_a_list_cannot_be_continued_where_it_never_was(harness: ProviderHarness) -> None:
    harness.member()
    with pytest.raises(ValueError, match=r".+"):
        harness.provider.page(10, "nowhere")
