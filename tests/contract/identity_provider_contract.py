"""What any identity provider and its directory answer; run on the local one and on Cognito.

Whoever is to be held to it derives a class `Test…` from `IdentityProviderContract` with the fixtures `provider` and
`directory`, which speak of the same accounts, none at first, and says how codes are had.
"""

from abc import ABC, abstractmethod
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest

from domain.identity.model import IdentityProblem, IdentityRefusal, Tokens
from domain.identity.ports import Account, Directory, IdentityProvider

EMAIL = "ana@example.com"
PASSWORD = "Correct horse 7 staple!"  # noqa: S105 - of nobody
OTHER_PASSWORD = "Another battery 8 pile?"  # noqa: S105 - of nobody
FULL_WIDTH = {ord(digit): ord(digit) - ord("0") + 0xFF10 for digit in "0123456789"}


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def problem_of(answer: object) -> IdentityProblem | None:
    return answer.problem if isinstance(answer, IdentityRefusal) else None


def signed_in(provider: IdentityProvider, email: str = EMAIL, password: str = PASSWORD) -> Tokens:
    tokens = provider.sign_in(email, password)
    assert isinstance(tokens, Tokens), tokens
    return tokens


def created(
    provider: IdentityProvider, email: str = EMAIL, password: str | None = PASSWORD, name: str = "Ana Lima"
) -> Account:
    account = provider.create(email, name, password)
    assert isinstance(account, Account), account
    return account


def signed_up(provider: IdentityProvider, email: str = EMAIL, password: str = PASSWORD, name: str = "Ana") -> UUID:
    """The id of a sign-up."""
    made = provider.sign_up(email, password, name)
    assert isinstance(made, UUID), made
    return made


class IdentityProviderContract(ABC):
    """The tests; see above."""

    @abstractmethod
    def code_for(self, email: str) -> str:
        """The code that was sent to an address last."""

    @abstractmethod
    def wrong_code_for(self, email: str) -> str:
        """A code that was not sent to an address, and is seen to be wrong."""

    # Signing up

    def test_a_sign_up_has_an_id_and_nobody_is_confirmed_by_it(self, provider: IdentityProvider) -> None:
        signed_up(provider)
        account = provider.account_of(EMAIL)
        assert account is None or not account.confirmed

    def test_ids_of_sign_ups_and_resets_are_random_and_name_no_account(self, provider: IdentityProvider) -> None:
        made = signed_up(provider)
        assert provider.confirm_sign_up(EMAIL, self.code_for(EMAIL), made) is None
        account = provider.account_of(EMAIL)
        assert account is not None
        ids = {made, provider.forgot_password(EMAIL), provider.forgot_password("nobody@example.com")}
        assert len(ids - {account.sub}) == 3
        assert {each.version for each in ids} == {4}, "their form tells nothing"

    def test_an_unconfirmed_account_does_not_sign_in(self, provider: IdentityProvider) -> None:
        provider.sign_up(EMAIL, PASSWORD, "Ana")
        assert problem_of(provider.sign_in(EMAIL, PASSWORD)) is IdentityProblem.NOT_CONFIRMED

    def test_only_the_right_password_reveals_that_the_account_is_unconfirmed(self, provider: IdentityProvider) -> None:
        provider.sign_up(EMAIL, PASSWORD, "Ana")
        assert problem_of(provider.sign_in(EMAIL, OTHER_PASSWORD)) is IdentityProblem.WRONG_CREDENTIALS

    def test_the_code_confirms_an_account_which_then_signs_in(self, provider: IdentityProvider) -> None:
        provider.sign_up(" Ana@Example.com ", PASSWORD, " Ana Lima ")
        assert provider.confirm_sign_up("ANA@example.com", self.code_for(EMAIL)) is None
        account = provider.account_of(EMAIL)
        assert account is not None
        assert (account.email, account.name, account.enabled, account.confirmed) == (EMAIL, "Ana Lima", True, True)
        assert account.created_at.tzinfo is not None
        assert claims_of(signed_in(provider).access_token)["sub"] == str(account.sub)

    @pytest.mark.parametrize("form", ["{} {}", "{}-{}", " {}\u2009{}\n", "{}\u200b{}", "{}\u2013{}"])
    def test_how_a_code_is_typed_does_not_matter(self, provider: IdentityProvider, form: str) -> None:
        provider.sign_up(EMAIL, PASSWORD, "Ana")
        code = self.code_for(EMAIL)
        assert provider.confirm_sign_up(EMAIL, form.format(code[:3], code[3:])) is None
        provider.forgot_password(EMAIL)
        code = self.code_for(EMAIL).translate(FULL_WIDTH)
        assert provider.reset_password(EMAIL, form.format(code[:3], code[3:]), OTHER_PASSWORD) is None

    def test_the_id_of_another_sign_up_makes_a_code_wrong(self, provider: IdentityProvider) -> None:
        made, elsewhere = signed_up(provider), signed_up(provider, "bo@example.com")
        for sign_up_id in (uuid4(), elsewhere):
            refused = provider.confirm_sign_up(EMAIL, self.code_for(EMAIL), sign_up_id)
            assert problem_of(refused) is IdentityProblem.WRONG_CODE
        assert provider.confirm_sign_up(EMAIL, self.code_for(EMAIL), made) is None

    def test_an_unknown_address_is_confirmed_by_no_code(self, provider: IdentityProvider) -> None:
        assert problem_of(provider.confirm_sign_up("nobody@example.com", "123456")) is IdentityProblem.WRONG_CODE

    def test_an_address_has_one_account_however_it_is_written(self, provider: IdentityProvider) -> None:
        made = signed_up(provider)
        assert provider.confirm_sign_up(EMAIL, self.code_for(EMAIL), made) is None
        assert problem_of(provider.sign_up("ANA@Example.Com", OTHER_PASSWORD, "Eve")) is IdentityProblem.EMAIL_IN_USE
        account = provider.account_of(EMAIL)
        assert account is not None
        assert account.name == "Ana"

    # Pre-hijacking

    def test_whoever_signs_an_address_up_first_has_no_password_of_the_account(self, provider: IdentityProvider) -> None:
        provider.sign_up(EMAIL, OTHER_PASSWORD, "Eve")
        made = signed_up(provider)
        assert provider.confirm_sign_up(EMAIL, self.code_for(EMAIL), made) is None
        assert problem_of(provider.sign_in(EMAIL, OTHER_PASSWORD)) is IdentityProblem.WRONG_CREDENTIALS
        signed_in(provider)
        account = provider.account_of(EMAIL)
        assert account is not None
        assert account.name == "Ana"

    def test_the_code_of_a_later_sign_up_is_wrong_for_an_earlier_one(self, provider: IdentityProvider) -> None:
        made = signed_up(provider)
        provider.sign_up(EMAIL, OTHER_PASSWORD, "Eve")
        refused = provider.confirm_sign_up(EMAIL, self.code_for(EMAIL), made)
        assert problem_of(refused) is IdentityProblem.WRONG_CODE
        account = provider.account_of(EMAIL)
        assert account is None or not account.confirmed

    def test_an_address_has_one_account_in_either_unicode_form_and_with_its_domain_in_any_letters(
        self, provider: IdentityProvider
    ) -> None:
        account = created(provider, "Mia@Bu\u0308cher.example")
        assert account.email == "mia@xn--bcher-kva.example"
        for email in ("mia@b\u00fccher.example", "MIA@xn--bcher-kva.example", " mia@bu\u0308cher.EXAMPLE\u3000"):
            assert problem_of(provider.create(email, "Eve", PASSWORD)) is IdentityProblem.EMAIL_IN_USE
            assert provider.account_of(email) == account
            assert claims_of(signed_in(provider, email).id_token)["sub"] == str(account.sub)

    @pytest.mark.parametrize("email", ["mia", "mi\u200ba@example.org", "mia@exa mple.org"])
    def test_what_is_no_address_has_no_account(self, provider: IdentityProvider, email: str) -> None:
        assert provider.account_of(email) is None
        assert isinstance(provider.sign_in(email, PASSWORD), IdentityRefusal)
        provider.forgot_password(email)

    def test_a_short_password_is_refused_and_makes_no_account(self, provider: IdentityProvider) -> None:
        assert problem_of(provider.sign_up(EMAIL, "Short 7!", "Ana")) is IdentityProblem.WEAK_PASSWORD
        assert provider.account_of(EMAIL) is None

    # Signing in

    def test_tokens_say_who_it_is_and_for_whom_they_are(self, provider: IdentityProvider) -> None:
        account = created(provider)
        tokens = signed_in(provider)
        access, identity = claims_of(tokens.access_token), claims_of(tokens.id_token)
        assert access["sub"] == identity["sub"] == str(account.sub)
        assert (access["token_use"], identity["token_use"]) == ("access", "id")
        assert access["client_id"] == identity["aud"]
        assert access["iss"] == identity["iss"]
        assert identity["email"] == EMAIL
        assert identity["email_verified"] in {True, "true"}
        assert access["exp"] - access["iat"] == tokens.expires_in
        assert access["jti"] != identity["jti"]

    def test_tokens_of_one_sign_in_name_one_session_and_the_next_one_another(self, provider: IdentityProvider) -> None:
        created(provider)
        first, second = signed_in(provider), signed_in(provider)
        session = claims_of(first.access_token)["origin_jti"]
        assert UUID(session)
        assert claims_of(first.id_token)["origin_jti"] == session
        assert claims_of(second.access_token)["origin_jti"] != session

    def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(self, provider: IdentityProvider) -> None:
        created(provider)
        wrong = provider.sign_in(EMAIL, OTHER_PASSWORD)
        assert problem_of(wrong) is IdentityProblem.WRONG_CREDENTIALS
        assert provider.sign_in("nobody@example.com", PASSWORD) == wrong

    def test_how_an_address_is_written_does_not_matter_but_how_a_password_is_does(
        self, provider: IdentityProvider
    ) -> None:
        created(provider, "Ana@Example.com")
        signed_in(provider, " ANA@example.COM ")
        assert problem_of(provider.sign_in(EMAIL, PASSWORD.upper())) is IdentityProblem.WRONG_CREDENTIALS

    def test_groups_are_in_tokens_from_the_next_sign_in_on(
        self, provider: IdentityProvider, directory: Directory
    ) -> None:
        account = created(provider)
        directory.add_to_group(account.sub, "Staff")
        assert sorted(claims_of(signed_in(provider).access_token)["cognito:groups"]) == ["Staff", "User"]

    # Sessions

    def test_a_refresh_goes_on_with_the_session(self, provider: IdentityProvider) -> None:
        created(provider)
        first = signed_in(provider)
        second = provider.refresh(first.refresh_token)
        assert isinstance(second, Tokens)
        before, after = claims_of(first.access_token), claims_of(second.access_token)
        assert (after["origin_jti"], after["sub"]) == (before["origin_jti"], before["sub"])
        assert after["jti"] != before["jti"]
        assert claims_of(second.id_token)["origin_jti"] == before["origin_jti"]
        third = provider.refresh(second.refresh_token)
        assert isinstance(third, Tokens)

    @pytest.mark.parametrize("token", ["none", "a.b.c", "é"])
    def test_what_is_no_refresh_token_is_refused(self, provider: IdentityProvider, token: str) -> None:
        assert problem_of(provider.refresh(token)) is IdentityProblem.SESSION_OVER

    def test_a_disabled_account_does_not_sign_in_until_it_is_enabled_again(self, provider: IdentityProvider) -> None:
        account = created(provider)
        provider.set_enabled(account.sub, enabled=False)
        assert problem_of(provider.sign_in(EMAIL, PASSWORD)) is IdentityProblem.ACCOUNT_DISABLED
        found = provider.account(account.sub)
        assert found is not None
        assert not found.enabled
        provider.set_enabled(account.sub, enabled=True)
        signed_in(provider)

    # Passwords

    def test_a_code_for_an_unknown_address_is_asked_for_without_an_answer(self, provider: IdentityProvider) -> None:
        provider.forgot_password("nobody@example.com")

    def test_a_code_sets_a_new_password_in_place_of_the_old_one(self, provider: IdentityProvider) -> None:
        created(provider)
        provider.forgot_password(" ANA@example.com")
        assert provider.reset_password(EMAIL, self.code_for(EMAIL), OTHER_PASSWORD) is None
        signed_in(provider, password=OTHER_PASSWORD)
        assert problem_of(provider.sign_in(EMAIL, PASSWORD)) is IdentityProblem.WRONG_CREDENTIALS

    def test_a_wrong_code_sets_no_password(self, provider: IdentityProvider) -> None:
        created(provider)
        provider.forgot_password(EMAIL)
        answer = provider.reset_password(EMAIL, self.wrong_code_for(EMAIL), OTHER_PASSWORD)
        assert problem_of(answer) is IdentityProblem.WRONG_CODE
        signed_in(provider)

    def test_a_password_is_changed_by_whoever_knows_it(self, provider: IdentityProvider) -> None:
        created(provider)
        token = signed_in(provider).access_token
        wrong = provider.change_password(token, OTHER_PASSWORD, "Yet another 9 heap!")
        assert problem_of(wrong) is IdentityProblem.WRONG_CREDENTIALS
        assert problem_of(provider.change_password(token, PASSWORD, "Short 7!")) is IdentityProblem.WEAK_PASSWORD
        assert provider.change_password(token, PASSWORD, OTHER_PASSWORD) is None
        signed_in(provider, password=OTHER_PASSWORD)
        assert problem_of(provider.sign_in(EMAIL, PASSWORD)) is IdentityProblem.WRONG_CREDENTIALS

    # Accounts

    def test_an_account_that_staff_make_is_confirmed_and_in_the_group_of_users(
        self, provider: IdentityProvider
    ) -> None:
        account = created(provider, "Ana@Example.com")
        assert account.confirmed
        assert account.enabled
        assert (account.email, account.name, account.groups) == (EMAIL, "Ana Lima", ("User",))
        assert provider.account(account.sub) == provider.account_of("ANA@example.com") == account

    def test_an_account_without_a_password_is_given_one_by_a_code(self, provider: IdentityProvider) -> None:
        created(provider, password=None)
        assert problem_of(provider.sign_in(EMAIL, "")) is IdentityProblem.WRONG_CREDENTIALS
        provider.forgot_password(EMAIL)
        assert provider.reset_password(EMAIL, self.code_for(EMAIL), PASSWORD) is None
        signed_in(provider)

    def test_no_second_account_of_an_address_is_made(self, provider: IdentityProvider) -> None:
        created(provider)
        assert problem_of(provider.create("ANA@example.com", "Eve", None)) is IdentityProblem.EMAIL_IN_USE

    def test_a_new_name_is_in_the_account_and_in_the_next_tokens(self, provider: IdentityProvider) -> None:
        account = created(provider)
        provider.rename(account.sub, " Ana Sousa ")
        found = provider.account(account.sub)
        assert found is not None
        assert found.name == "Ana Sousa"
        assert claims_of(signed_in(provider).id_token)["name"] == "Ana Sousa"

    def test_a_deleted_account_is_gone_and_its_address_free(self, provider: IdentityProvider) -> None:
        account = created(provider)
        provider.delete(account.sub)
        assert provider.account(account.sub) is None
        assert provider.account_of(EMAIL) is None
        assert problem_of(provider.sign_in(EMAIL, PASSWORD)) is IdentityProblem.WRONG_CREDENTIALS
        assert created(provider).sub != account.sub

    def test_who_is_unknown_is_left_alone_without_a_word(
        self, provider: IdentityProvider, directory: Directory
    ) -> None:
        unknown = uuid4()
        provider.rename(unknown, "Nobody")
        provider.set_enabled(unknown, enabled=False)
        provider.sign_out_everywhere(unknown)
        provider.delete(unknown)
        directory.remove_from_group(unknown, "User")
        assert provider.account(unknown) is None
        assert directory.account(unknown) is None
        assert provider.account_of("nobody@example.com") is None

    # The directory

    def test_pages_hold_every_account_once_with_its_groups(
        self, provider: IdentityProvider, directory: Directory
    ) -> None:
        made = {created(provider, f"member{number}@example.com", None).sub for number in range(7)}
        first_of_all = min(made)
        directory.add_to_group(first_of_all, "Admin")
        found: list[Account] = []
        after: str | None = None
        for _ in range(3):
            page = directory.page(3, after)
            assert len(page.items) <= 3
            found += page.items
            after = page.next
            if after is None:
                break
        assert after is None
        assert len(found) == len(made)
        assert {account.sub for account in found} == made
        groups = {account.sub: account.groups for account in found}
        assert groups.pop(first_of_all) == ("Admin", "User")
        assert set(groups.values()) == {("User",)}

    def test_nobody_is_an_empty_page(self, directory: Directory) -> None:
        page = directory.page(100, None)
        assert (page.items, page.next) == ((), None)

    def test_groups_are_joined_and_left_once_however_often_it_is_said(
        self, provider: IdentityProvider, directory: Directory
    ) -> None:
        account = created(provider)
        for _ in range(2):
            directory.add_to_group(account.sub, "Admin")
        joined = directory.account(account.sub)
        assert joined is not None
        assert joined.groups == ("Admin", "User")
        for _ in range(2):
            directory.remove_from_group(account.sub, "Admin")
        left = directory.account(account.sub)
        assert left is not None
        assert left.groups == ("User",)

    def test_enabled_members_are_those_in_the_group_who_are_not_disabled(
        self, provider: IdentityProvider, directory: Directory
    ) -> None:
        ana, bo, _ = (created(provider, f"{name}@example.com", None) for name in ("ana", "bo", "cy"))
        assert directory.enabled_members_of("Admin") == set()
        for account in (ana, bo):
            directory.add_to_group(account.sub, "Admin")
        provider.set_enabled(bo.sub, enabled=False)
        assert directory.enabled_members_of("Admin") == {ana.sub}
