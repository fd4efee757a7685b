"""What the Identity services makes of many who come at once, and of races that it loses."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier, local
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from deployments.identity.backend import IdentityBackend
from deployments.identity.local_functions import LocalFunctions, LocalTriggers
from deployments.identity.services import IdentityServices, identity_services
from deployments.identity.sign_in import SignInService
from deployments.identity.users import UserService
from deployments.service_host import DatabaseUnavailableError, ServiceHost, name_of
from domain.identity.model import Caller, Client, IdentityProblem, IdentityRefusal, Role, User
from domain.identity.ports import MailUnavailableError
from domain.identity.repository import UserRepository
from domain.identity.tables import sessions, user_roles
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.local_identity.provider import LocalProvider
from tests.stores import sqlite_store
from tests.unit.integrations.local_identity.harness import LIGHT, PASSWORD, ProviderHarness
from tests.world import START

CLIENT = Client("phone", "192.0.2.1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = sqlite_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def services(store: Store, harness: ProviderHarness) -> IdentityServices:
    harness.provider.triggers = LocalTriggers(harness.provider)
    outside = IdentityBackend(harness.provider, harness.provider, LocalFunctions(harness.provider), harness.mailbox)
    return identity_services(store, outside, LIGHT, lambda: START)


def caller(**changes: object) -> Caller:
    usual = Caller(new_id(), ("User",), new_id(), START, START + timedelta(hours=1), email=" Mia@Example.org ")
    return replace(usual, **changes)  # type: ignore[arg-type]


def test_a_user_seen_by_all_replicas_at_once_becomes_one_row_and_one_session(
    store: Store, services: IdentityServices
) -> None:
    one = caller()
    with ThreadPoolExecutor(4) as threads:
        known = list(threads.map(lambda _: services.sign_in.know_caller(one, CLIENT), range(8)))
    assert len(set(known)) == 1
    assert isinstance(known[0], User)
    assert (known[0].email, known[0].name, known[0].roles) == ("mia@example.org", "mia", frozenset({Role.USER}))
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(sessions)).scalar_one() == 1
        assert UserRepository(connection).user_of("mia@example.org") == known[0]


def test_a_race_lost_to_another_replica_is_run_again(
    services: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, one = UserRepository.add, caller()
    races = 0

    def raced(_self: UserRepository, _row: User) -> None:
        nonlocal races
        races += 1
        raise IntegrityError("insert", {}, sqlite3.IntegrityError("UNIQUE constraint failed: users.id"))

    monkeypatch.setattr(UserRepository, "add", raced)
    with pytest.raises(IntegrityError):
        services.sign_in.know_caller(one, CLIENT)
    assert races == 3
    monkeypatch.setattr(UserRepository, "add", add)
    assert isinstance(services.sign_in.know_caller(one, CLIENT), User)


def test_what_the_provider_says_is_followed_but_not_by_a_token_from_before_a_change_of_roles(
    store: Store, services: IdentityServices
) -> None:
    one = caller()
    services.sign_in.know_caller(one, CLIENT)
    moved = replace(one, session_id=new_id(), email="mia@new.example", name="Mia Ruiz", groups=("User", "Staff"))
    known = services.sign_in.know_caller(moved, CLIENT)
    assert isinstance(known, User)
    assert (known.email, known.name, known.roles) == ("mia@new.example", "Mia Ruiz", frozenset({Role.USER, Role.STAFF}))
    with store.writing() as connection:
        UserRepository(connection).change(one.user_id, roles_changed_at=START + timedelta(minutes=1))
        UserRepository(connection).set_roles(one.user_id, [Role.USER])
    services.sign_in.know_caller(replace(moved, session_id=new_id()), CLIENT)
    with store.reading() as connection:
        kept = connection.execute(select(user_roles.c.role).where(user_roles.c.user_id == one.user_id)).scalars()
        assert set(kept) == {"User"}


def test_an_address_is_one_account_s(services: IdentityServices) -> None:
    services.sign_in.know_caller(caller(), CLIENT)
    refused = services.sign_in.know_caller(caller(email="MIA@example.org"), CLIENT)
    assert isinstance(refused, IdentityRefusal)
    assert refused.problem is IdentityProblem.EMAIL_IN_USE


def test_a_token_that_says_no_address_is_completed_by_the_provider(
    services: IdentityServices, harness: ProviderHarness
) -> None:
    account = harness.member()
    known = services.sign_in.know_caller(caller(user_id=account.sub, email=None), CLIENT)
    assert isinstance(known, User)
    assert (known.email, known.name) == (account.email, account.name)
    gone = services.sign_in.know_caller(caller(email=None), CLIENT)
    assert isinstance(gone, IdentityRefusal)
    assert gone.problem is IdentityProblem.SESSION_OVER


class AtOnce:
    """A provider's directory whose callers have both looked who is admin before either does anything."""

    def __init__(self, provider: LocalProvider, together: Barrier) -> None:
        self._provider = provider
        self._together = together
        self._has_waited = local()

    def __getattr__(self, name: str) -> object:
        return getattr(self._provider, name)

    def enabled_members_of(self, group: str) -> set[UUID]:
        members = self._provider.enabled_members_of(group)
        if not getattr(self._has_waited, "once", False):
            self._has_waited.once = True
            self._together.wait(timeout=20)
        return members


@pytest.mark.parametrize("what", ["disable", "delete"])
def test_two_admins_who_do_it_to_each_other_at_once_leave_one(
    store: Store, harness: ProviderHarness, what: str
) -> None:
    directory = AtOnce(harness.provider, Barrier(2))
    services = identity_services(
        store,
        IdentityBackend(harness.provider, directory, LocalFunctions(harness.provider), harness.mailbox),  # type: ignore[arg-type]
        LIGHT,
        lambda: START,
    )
    admins = [harness.member(f"{name}@example.com").sub for name in ("one", "two")]
    for admin in admins:
        harness.provider.add_to_group(admin, Role.ADMIN)
        services.sign_in.know_caller(caller(user_id=admin, email=None, groups=("Admin",)), CLIENT)

    def do(by: UUID, whom: UUID) -> object:
        return (
            services.users.set_enabled(by, whom, enabled=False)
            if what == "disable"
            else services.users.begin_deleting(by, whom)
        )

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(do, admins, reversed(admins)))
    refused = [answer for answer in answers if isinstance(answer, IdentityRefusal)]
    assert {answer.problem for answer in refused} == {IdentityProblem.LAST_ADMIN}
    assert harness.provider.enabled_members_of(Role.ADMIN)
    with store.reading() as connection:
        states = [UserRepository(connection).user(admin) for admin in admins]
    assert any(state and state.disabled_at is None and state.deleted_at is None for state in states)


def test_somebody_who_never_signed_in_is_not_disabled_behind_the_store_s_back(
    services: IdentityServices, harness: ProviderHarness
) -> None:
    account = harness.member()
    refused = services.users.set_enabled(new_id(), account.sub, enabled=False)
    assert isinstance(refused, IdentityRefusal)
    assert refused.problem is IdentityProblem.UNKNOWN_USER
    assert harness.provider.account(account.sub) == account


def test_whatever_is_unavailable_is_named(services: IdentityServices, harness: ProviderHarness) -> None:
    harness.mailbox.is_away = True
    with pytest.raises(MailUnavailableError):
        services.sign_up.sign_up("ana@example.com", PASSWORD, "Ana", CLIENT)
    harness.mailbox.is_away = False
    assert isinstance(services.sign_up.sign_up("ana@example.com", PASSWORD, "Ana", CLIENT), UUID), (
        "nothing was left half done"
    )
    assert harness.mailbox.to("ana@example.com")[-1].code
    outside = IdentityBackend(harness.provider, harness.provider, LocalFunctions(harness.provider), harness.mailbox)
    host = ServiceHost(identity_services(Store("mysql+pymysql://nobody@127.0.0.1:1/nothing"), outside, LIGHT))
    for method, *args in (
        (SignInService.sign_in, "ana@example.com", PASSWORD, CLIENT),
        (UserService.user, new_id()),
        (SignInService.sign_out, new_id(), new_id(), None),
    ):
        with pytest.raises(DatabaseUnavailableError):
            host.call(name_of(method), *args)
