"""`fitmonitor admin create`, with the local identity provider and with a fake one."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from cluster.cli.admin import make_admin
from cluster.errors import CommandError
from domain.identity.model import Caller, Change, Client, IdentityProblem, IdentityRefusal, Role, Tokens
from domain.identity.ports import Account
from domain.identity.repository import UserRepository
from domain.identity.service import know_caller
from domain.identity.tables import user_changes
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.local_identity.accounts import new_account
from integrations.local_identity.provider import LocalProvider
from tests.unit.cluster.installation import Installation
from tests.world import START

EMAIL = "olga@example.org"


class Pool(LocalProvider):
    """Another provider: knows one account at most, and refuses to make one where it was told to."""

    def __init__(self, known: Account | None = None, refusal: IdentityRefusal | None = None) -> None:
        self.known = known
        self.refusal = refusal
        self.given: list[tuple[UUID, str]] = []
        self.password: str | None = None

    def account_of(self, email: str) -> Account | None:
        return self.known if self.known is not None and self.known.email == email else None

    def create(self, email: str, name: str, password: str | None) -> Account | IdentityRefusal:
        self.password = password
        return self.refusal or account(email, name)

    def add_to_group(self, sub: UUID, group: str) -> None:
        self.given.append((sub, group))


def account(email: str = EMAIL, name: str = "Olga", *, confirmed: bool = True) -> Account:
    return Account(uuid4(), email, name, enabled=True, confirmed=confirmed, created_at=datetime.now(UTC))


def in_the_store(installation: Installation, sub: UUID) -> Store:
    """The store, in which the account has signed in once."""
    store = installation.store()
    with store.writing() as connection:
        know_caller(connection, Caller(sub, ("User",), new_id(), START, START, email=EMAIL), Client(), START)
    return store


def test_a_new_admin_signs_in_with_the_password_that_is_shown_once(installation: Installation) -> None:
    done = installation.run("admin", "create", " Olga@Example.org ", "--name", "Olga Brandt")
    assert done.exit_code == 0, done.output
    assert "the account is new" in done.output
    password = done.output.split("password: ")[1].splitlines()[0]
    assert isinstance(installation.provider.sign_in(EMAIL, password), Tokens)
    made = installation.provider.account_of(EMAIL)
    assert made is not None
    assert (made.name, made.confirmed, made.groups) == ("Olga Brandt", True, ("Admin", "User"))
    again = installation.run("admin", "create", EMAIL)
    assert (again.exit_code, again.output.strip()) == (0, f"{EMAIL} is an admin already.")
    assert isinstance(installation.provider.sign_in(EMAIL, password), Tokens), "it was left as it was"


def test_no_two_admins_get_the_same_password(installation: Installation) -> None:
    answers = [
        json.loads(installation.run("admin", "create", f"{name}@example.org", "--json").output)
        for name in ("one", "two")
    ]
    assert answers[0]["password"] != answers[1]["password"]
    assert {"user_id", "email", "password"} == set(answers[0])


def test_without_a_stack_no_database_is_created(installation: Installation) -> None:
    assert installation.run("admin", "create", EMAIL).exit_code == 0
    assert not (installation.settings.data_dir / "fitmonitor.sqlite3").exists()


def test_a_member_who_becomes_admin_keeps_the_password_and_the_role_is_stored_once(installation: Installation) -> None:
    known = installation.provider.create(EMAIL, "Olga", "a long walk to the lake")
    assert isinstance(known, Account)
    store = in_the_store(installation, known.sub)
    done = installation.run("admin", "create", EMAIL)
    assert done.output.startswith(f"{EMAIL} is an admin now;"), done.output
    assert "password" not in done.output
    installation.run("admin", "create", EMAIL)
    with store.reading() as connection:
        user = UserRepository(connection).user(known.sub)
        changes = connection.execute(
            select(user_changes.c.by_id, user_changes.c.detail).where(user_changes.c.what == Change.ROLE_GIVEN)
        ).all()
    store.close()
    assert user is not None
    assert user.roles == {Role.USER, Role.ADMIN}
    assert user.roles_changed_at is not None
    assert [tuple(change) for change in changes] == [(None, "Admin")]
    assert isinstance(installation.provider.sign_in(EMAIL, "a long walk to the lake"), Tokens)


def test_a_disabled_account_is_reported(installation: Installation) -> None:
    known = installation.provider.create(EMAIL, "Olga", None)
    assert isinstance(known, Account)
    installation.provider.set_enabled(known.sub, enabled=False)
    assert "disabled" in installation.run("admin", "create", EMAIL).output


def test_an_unconfirmed_account_does_not_become_admin(installation: Installation) -> None:
    unconfirmed = new_account(uuid4(), EMAIL, "Not Olga", START, confirmed=False)
    installation.provider.add_accounts([unconfirmed])
    done = installation.run("admin", "create", EMAIL)
    assert "is not confirmed" in str(done.exception)
    assert installation.provider.account_of(EMAIL) == unconfirmed


def test_a_stranger_who_signed_up_with_the_address_cannot_sign_in_as_the_admin(installation: Installation) -> None:
    installation.provider.sign_up(EMAIL, "a password of a stranger", "Not Olga")
    assert installation.run("admin", "create", EMAIL).exit_code == 0
    known = installation.provider.account_of(EMAIL)
    assert known is not None
    assert (known.groups, known.name) == (("Admin", "User"), "olga")
    assert isinstance(installation.provider.sign_in(EMAIL, "a password of a stranger"), IdentityRefusal)


@pytest.mark.parametrize("words", [["no address"], [EMAIL, "--name", "\x07"], ["a@b.org", "--name", "x" * 201]])
def test_an_invalid_address_or_name_is_refused_and_nothing_is_created(
    installation: Installation, words: list[str]
) -> None:
    done = installation.run("admin", "create", *words)
    assert isinstance(done.exception, CommandError)
    assert "\n" not in str(done.exception)
    assert installation.provider.account_of(words[0]) is None


def test_an_account_of_any_provider_is_added_to_both_groups() -> None:
    known, elsewhere = account(), Pool()
    pool = Pool(known)
    assert make_admin(pool, pool, EMAIL, "Olga") == (known, None)
    assert pool.given == [(known.sub, "User"), (known.sub, "Admin")]
    made, password = make_admin(elsewhere, elsewhere, EMAIL, "Olga Brandt")
    assert (made.email, made.name) == (EMAIL, "Olga Brandt")
    assert elsewhere.given == [(made.sub, "User"), (made.sub, "Admin")]
    # What a pool of Cognito asks for unless it is told otherwise.
    assert password is not None
    assert password == elsewhere.password
    assert any(map(str.isupper, password))
    assert any(map(str.islower, password))
    assert any(map(str.isdigit, password))
    assert not password.isalnum()


def test_the_error_of_a_provider_is_its_own_text() -> None:
    pool = Pool(refusal=IdentityRefusal(IdentityProblem.EMAIL_IN_USE, "Somebody was quicker."))
    with pytest.raises(CommandError, match="Somebody was quicker"):
        make_admin(pool, pool, EMAIL, "Olga")
    assert pool.given == []


def test_a_provider_that_does_not_answer_is_unavailable(installation: Installation) -> None:
    done = installation.run(
        *("admin", "create", EMAIL),
        FITMONITOR_IDENTITY__USER_POOL_ID="local_pool",
        FITMONITOR_IDENTITY__REGION="eu-west-1",
        FITMONITOR_IDENTITY__ENDPOINT_URL="http://127.0.0.1:9",
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="x",  # noqa: S106 - of nobody
    )
    assert isinstance(done.exception, CommandError)
    assert "is unavailable" in str(done.exception)


def test_an_unreadable_accounts_file_is_an_error(installation: Installation, tmp_path: Path) -> None:
    done = installation.run("admin", "create", EMAIL, FITMONITOR_IDENTITY__ACCOUNTS_FILE=str(tmp_path))
    assert "cannot be opened" in str(done.exception)
    assert isinstance(done.exception, CommandError)
