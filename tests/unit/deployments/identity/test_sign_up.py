"""Signing up and resetting a password at the Identity services, as strangers try to spoil it for others."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import structlog

from deployments.idempotent_calls import IdempotentAnswer
from deployments.identity.backend import IdentityBackend
from deployments.identity.local_functions import LocalFunctions, LocalTriggers
from deployments.identity.open_backend import open_backend
from deployments.identity.services import IdentityServices, identity_services
from deployments.identity.sign_up import SignUpService
from deployments.identity.signed_in import SignedIn
from domain.clock import system_clock
from domain.idempotency import IdempotentRequest
from domain.identity.model import Caller, Client, IdentityProblem, User
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.settings import IdentitySettings
from tests.service_calls import call_once
from tests.stores import sqlite_store
from tests.unit.integrations.local_identity.harness import (
    EMAIL,
    LIGHT,
    OTHER_PASSWORD,
    PASSWORD,
    ProviderHarness,
    light_settings,
    problem_of,
)

OWNER, STRANGER = Client("phone", "192.0.2.1"), Client("script", "198.51.100.1")
NOBODY = "nobody@example.com"
_networks = itertools.count(1)


def somewhere() -> Client:
    """Whoever comes from a network that nobody has come from."""
    return Client("phone", f"2001:db8:{next(_networks):x}::1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = sqlite_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def outside(harness: ProviderHarness) -> IdentityBackend:
    harness.provider.triggers = LocalTriggers(harness.provider)
    return IdentityBackend(harness.provider, harness.provider, LocalFunctions(harness.provider), harness.mailbox)


@pytest.fixture
def services(store: Store, harness: ProviderHarness, outside: IdentityBackend) -> IdentityServices:
    return identity_services(store, outside, LIGHT, lambda: harness.now)


@pytest.fixture
def patient(store: Store, harness: ProviderHarness, outside: IdentityBackend) -> IdentityServices:
    """A services that holds nobody off so soon: what a wrong code does to a code is to be seen."""
    limits = LIGHT.model_copy(
        update={"failed_attempts_before_delay": 1000, "failed_attempts_before_delay_per_address": 1000}
    )
    return identity_services(store, outside, limits, lambda: harness.now)


def signed_up(services: IdentityServices, password: str = PASSWORD, client: Client = OWNER, name: str = "Ana") -> UUID:
    made = services.sign_up.sign_up(EMAIL, password, name, client)
    assert isinstance(made, UUID), made
    return made


def an_account(services: IdentityServices, harness: ProviderHarness) -> None:
    signed_up(services)
    assert services.sign_up.confirm(EMAIL, harness.code(), OWNER) is None
    harness.mailbox.mails.clear()


def is_owner_in(services: IdentityServices) -> bool:
    return isinstance(services.sign_in.sign_in(EMAIL, PASSWORD, somewhere()), SignedIn)


def welcomes(harness: ProviderHarness) -> int:
    return sum(mail.subject.startswith("Welcome") for mail in harness.mailbox.mails)


# The five classes of pre-hijacking (Sudhodanan and Paverd, 2022)


def test_classic_federated_merge_an_account_is_not_joined_to_one_of_the_same_address(
    services: IdentityServices, harness: ProviderHarness
) -> None:
    an_account(services, harness)
    assert is_owner_in(services)
    federated = Caller(
        new_id(), ("User",), new_id(), harness.now, harness.now + timedelta(hours=1), email=EMAIL, name="Eve"
    )
    assert problem_of(services.sign_in.know_caller(federated, STRANGER)) is IdentityProblem.EMAIL_IN_USE


def test_unexpired_session_whoever_signed_up_first_has_no_session_and_gets_none(
    services: IdentityServices, harness: ProviderHarness
) -> None:
    theirs = signed_up(services, OTHER_PASSWORD, STRANGER, "Eve")
    assert problem_of(services.sign_in.sign_in(EMAIL, OTHER_PASSWORD, STRANGER)) is IdentityProblem.NOT_CONFIRMED
    theirs_code = harness.code()
    mine = signed_up(services)
    assert services.sign_up.confirm(EMAIL, harness.code(), OWNER, mine) is None
    assert problem_of(services.sign_in.sign_in(EMAIL, OTHER_PASSWORD, somewhere())) is IdentityProblem.WRONG_CREDENTIALS
    assert problem_of(services.sign_up.confirm(EMAIL, theirs_code, somewhere(), theirs)) is IdentityProblem.WRONG_CODE
    assert is_owner_in(services)


def test_unexpired_session_a_reset_ends_the_sessions_and_the_resets_of_whoever_knew_the_password(
    services: IdentityServices, harness: ProviderHarness
) -> None:
    an_account(services, harness)
    session = services.sign_in.sign_in(EMAIL, PASSWORD, STRANGER)
    assert isinstance(session, SignedIn)
    opened = [services.passwords.forgot(EMAIL, client) for client in (STRANGER, OWNER)]
    first_code, code = [mail.code or "" for mail in harness.mailbox.to(EMAIL)]
    assert isinstance(opened[1], UUID)
    assert services.passwords.reset(EMAIL, code, OTHER_PASSWORD, OWNER, opened[1]) == ""
    assert problem_of(services.sign_in.refresh(session.tokens.refresh_token, STRANGER)) is IdentityProblem.SESSION_OVER
    late = services.passwords.reset(EMAIL, first_code, PASSWORD, somewhere())
    assert problem_of(late) is IdentityProblem.WRONG_CODE


def test_trojan_identifier_the_name_and_password_of_a_stranger_are_in_no_account(
    services: IdentityServices, harness: ProviderHarness
) -> None:
    signed_up(services, OTHER_PASSWORD, STRANGER, "Eve")
    mine = signed_up(services)
    signed_up(services, OTHER_PASSWORD, STRANGER, "Eve")
    assert problem_of(services.sign_up.confirm(EMAIL, harness.code(), OWNER, mine)) is IdentityProblem.WRONG_CODE
    codes = [mail.code or "" for mail in harness.mailbox.to(EMAIL)]
    assert services.sign_up.confirm(EMAIL, codes[1], OWNER, mine) is None
    account = harness.provider.account_of(EMAIL)
    assert account is not None
    assert account.name == "Ana"
    assert problem_of(services.sign_in.sign_in(EMAIL, OTHER_PASSWORD, STRANGER)) is IdentityProblem.WRONG_CREDENTIALS


def test_unexpired_email_change_there_is_none_that_waits_an_address_is_the_provider_s(
    services: IdentityServices, harness: ProviderHarness
) -> None:
    # Nobody can ask for a change of address here: it comes with a token, of a provider that has verified it.
    an_account(services, harness)
    assert is_owner_in(services)
    squatter = Caller(
        new_id(), ("User",), new_id(), harness.now, harness.now + timedelta(hours=1), email="eve@example.com"
    )
    assert isinstance(services.sign_in.know_caller(squatter, STRANGER), User)
    moved = replace(squatter, session_id=new_id(), email=EMAIL)
    assert problem_of(services.sign_in.know_caller(moved, STRANGER)) is IdentityProblem.EMAIL_IN_USE


def test_non_verifying_provider_an_address_gives_no_right_to_an_account(
    services: IdentityServices, harness: ProviderHarness
) -> None:
    # An unverified federated address reaches nothing of the account that is made later: accounts are known by `sub`.
    squatter = Caller(
        new_id(), ("User",), new_id(), harness.now, harness.now + timedelta(hours=1), email=EMAIL, name="Eve"
    )
    assert isinstance(services.sign_in.know_caller(squatter, STRANGER), User)
    mine = signed_up(services)
    assert services.sign_up.confirm(EMAIL, harness.code(), OWNER, mine) is None
    assert problem_of(services.sign_in.sign_in(EMAIL, PASSWORD, OWNER)) is IdentityProblem.EMAIL_IN_USE, (
        "staff must help"
    )


# Nothing tells whether there is an account


@pytest.mark.parametrize("sign_up_id", [None, UUID(int=7, version=4)])
def test_a_wrong_code_is_answered_alike_for_an_account_an_open_sign_up_and_none(
    services: IdentityServices, harness: ProviderHarness, sign_up_id: UUID | None
) -> None:
    an_account(services, harness)
    assert isinstance(services.sign_up.sign_up("waiting@example.com", PASSWORD, "Bo", somewhere()), UUID)
    harness.mailbox.mails.clear()
    answers = [
        services.sign_up.confirm(email, "no code", somewhere(), sign_up_id)
        for email in (EMAIL, "waiting@example.com", NOBODY)
    ]
    assert problem_of(answers[0]) is IdentityProblem.WRONG_CODE
    assert answers == [answers[0]] * 3
    assert harness.mailbox.mails == []


def test_the_minimum_time_of_an_answer_does_not_tell_whether_there_is_an_account(
    store: Store, harness: ProviderHarness, outside: IdentityBackend
) -> None:
    takes_s = 0.3
    services = identity_services(store, replace(outside, answer_takes_s=takes_s), LIGHT, lambda: harness.now)
    harness.member()
    calls: list[Callable[[str], object]] = [
        lambda email: services.sign_up.sign_up(email, PASSWORD, "Ana", somewhere()),
        lambda email: services.sign_up.confirm(email, "000000", somewhere()),
        lambda email: services.sign_up.resend_code(email, somewhere()),
        lambda email: services.passwords.forgot(email, somewhere()),
        lambda email: services.passwords.reset(email, "000000", OTHER_PASSWORD, somewhere()),
    ]
    for call in calls:
        for email in (EMAIL, NOBODY):
            begun = time.monotonic()
            call(email)
            assert time.monotonic() - begun >= takes_s


def test_with_either_provider_answers_take_a_minimum_time(tmp_path: Path) -> None:
    local = light_settings(tmp_path)
    pool = IdentitySettings(user_pool_id="eu-west-1_pool", client_id="app", region="eu-west-1")
    assert open_backend(local).answer_takes_s > 0
    assert open_backend(local.model_copy(update={"identity": pool})).answer_takes_s > 0


def test_sign_ups_until_they_are_held_off_are_alike_with_and_without_an_account(
    services: IdentityServices, harness: ProviderHarness
) -> None:
    an_account(services, harness)
    harness.later(hours=48)  # whatever the owner's own sign-up was counted as is forgotten
    seen = {
        email: [services.sign_up.sign_up(email, OTHER_PASSWORD, "Eve", client) for _ in range(12)]
        for email, client in ((EMAIL, somewhere()), (NOBODY, somewhere()))
    }
    alike = [
        [("opened", answer.version) if isinstance(answer, UUID) else answer for answer in answers]
        for answers in seen.values()
    ]
    assert alike[0] == alike[1]
    assert problem_of(seen[EMAIL][-1]) is IdentityProblem.TOO_MANY_ATTEMPTS
    opened = {answer for answers in seen.values() for answer in answers if isinstance(answer, UUID)}
    assert len(opened) == sum(isinstance(answer, UUID) for answers in seen.values() for answer in answers)
    assert len(harness.mailbox.to(EMAIL)) == len(harness.mailbox.to(NOBODY))


def test_the_password_of_one_s_own_sign_up_does_not_tell_whether_there_is_an_account(
    services: IdentityServices, harness: ProviderHarness
) -> None:
    an_account(services, harness)
    answers = []
    for email in (EMAIL, NOBODY):
        assert isinstance(services.sign_up.sign_up(email, OTHER_PASSWORD, "Eve", STRANGER), UUID)
        answers.append(services.sign_in.sign_in(email, OTHER_PASSWORD, STRANGER))
    assert problem_of(answers[0]) is IdentityProblem.NOT_CONFIRMED
    assert answers[0] == answers[1]
    assert is_owner_in(services)


def test_the_password_of_one_s_own_sign_up_proves_nothing_to_the_counters(
    services: IdentityServices, harness: ProviderHarness
) -> None:
    an_account(services, harness)
    assert isinstance(services.sign_up.sign_up(EMAIL, OTHER_PASSWORD, "Eve", STRANGER), UUID)
    harness.later(hours=20)  # the sign-up is counted no longer, and still open
    answers: list[IdentityProblem | None] = []
    for _ in range(4):
        answers += [problem_of(services.sign_in.sign_in(EMAIL, tried, STRANGER)) for tried in ("wrong", OTHER_PASSWORD)]
    assert answers[-1] is IdentityProblem.TOO_MANY_ATTEMPTS


def test_a_weak_password_is_refused_alike_with_and_without_an_account(
    services: IdentityServices, harness: ProviderHarness
) -> None:
    an_account(services, harness)
    answers = [services.sign_up.sign_up(email, "short", "Ana", somewhere()) for email in (EMAIL, NOBODY)]
    assert problem_of(answers[0]) is IdentityProblem.WEAK_PASSWORD
    assert answers[0] == answers[1]
    assert harness.mailbox.mails == []


# Mail


def test_a_welcome_is_sent_once_by_the_call_that_made_the_account(
    services: IdentityServices, harness: ProviderHarness
) -> None:
    made = signed_up(services)
    assert services.sign_up.confirm(EMAIL, harness.code(), OWNER, made) is None
    code = harness.mailbox.mails[0].code or ""
    for sign_up_id in (made, None, uuid4()):
        for tried in (code, "000000"):
            assert services.sign_up.confirm(EMAIL, tried, somewhere(), sign_up_id) is not None
    assert welcomes(harness) == 1


def test_an_account_is_made_though_no_welcome_can_be_sent(services: IdentityServices, harness: ProviderHarness) -> None:
    made, code = signed_up(services), harness.code()
    harness.mailbox.is_away = True
    with structlog.testing.capture_logs() as logs:
        assert services.sign_up.confirm(EMAIL, code, OWNER, made) is None
    assert [entry["event"] for entry in logs] == ["welcome_not_sent"]
    assert EMAIL not in str(logs)
    harness.mailbox.is_away = False
    assert is_owner_in(services)


# Codes


def test_a_stranger_s_wrong_codes_and_new_resets_leave_the_owner_s_code_valid(
    patient: IdentityServices, harness: ProviderHarness
) -> None:
    services = patient
    an_account(services, harness)
    mine = services.passwords.forgot(EMAIL, OWNER)
    code = harness.code()
    assert isinstance(mine, UUID)
    for _ in range(4):
        theirs = services.passwords.forgot(EMAIL, somewhere())
        assert isinstance(theirs, UUID)
        for reset_id in (theirs, None, uuid4()):
            services.passwords.reset(EMAIL, harness.other_code(), OTHER_PASSWORD, somewhere(), reset_id)
    assert services.passwords.reset(EMAIL, code, OTHER_PASSWORD, somewhere(), mine) == ""


def test_strangers_from_everywhere_do_not_keep_the_owner_from_a_reset_that_is_named(
    services: IdentityServices, harness: ProviderHarness
) -> None:
    an_account(services, harness)
    mine = services.passwords.forgot(EMAIL, OWNER)
    assert isinstance(mine, UUID)
    for reset_id in (None, uuid4()):
        for _ in range(LIGHT.unknown_device_attempts_per_hour):
            services.passwords.reset(EMAIL, harness.other_code(), OTHER_PASSWORD, somewhere(), reset_id)
    assert services.passwords.reset(EMAIL, harness.code(), OTHER_PASSWORD, somewhere(), mine) == ""


def test_strangers_from_everywhere_do_not_keep_the_owner_from_a_sign_up_that_is_named(
    services: IdentityServices, harness: ProviderHarness
) -> None:
    mine = signed_up(services)
    for sign_up_id in (None, uuid4()):
        for _ in range(LIGHT.unknown_device_attempts_per_hour):
            services.sign_up.confirm(EMAIL, harness.other_code(), somewhere(), sign_up_id)
    assert services.sign_up.confirm(EMAIL, harness.code(), somewhere(), mine) is None


def test_naming_records_gives_strangers_no_more_tries_than_a_code_has(
    patient: IdentityServices, harness: ProviderHarness
) -> None:
    an_account(patient, harness)
    theirs = patient.passwords.forgot(EMAIL, somewhere())
    assert isinstance(theirs, UUID)
    for _ in range(5):
        patient.passwords.reset(EMAIL, harness.other_code(), OTHER_PASSWORD, somewhere(), theirs)
    for reset_id in (theirs, uuid4()):
        answer = patient.passwords.reset(EMAIL, harness.code(), OTHER_PASSWORD, somewhere(), reset_id)
        assert problem_of(answer) is IdentityProblem.WRONG_CODE


@pytest.mark.parametrize("names_it", [True, False])
def test_a_stranger_s_wrong_codes_leave_the_owner_s_sign_up_open(
    patient: IdentityServices, harness: ProviderHarness, *, names_it: bool
) -> None:
    services = patient
    mine, code = signed_up(services), harness.code()
    for _ in range(10):
        services.sign_up.confirm(EMAIL, harness.other_code(), somewhere())
    assert services.sign_up.confirm(EMAIL, code, somewhere(), mine if names_it else None) is None


# Repeated calls


def keyed(services: IdentityServices, secret: str = "key-1") -> IdempotentAnswer[UUID]:  # noqa: S107 - of nobody
    request = IdempotentRequest(f"hash of {secret}", "hash of the body", secret, "anyone POST /sign-up")
    done = call_once(services, system_clock, request, SignUpService.sign_up, EMAIL, PASSWORD, "Ana", OWNER)
    assert isinstance(done, IdempotentAnswer), done
    return done


def test_a_repeated_sign_up_gets_the_id_of_the_first_one(services: IdentityServices, harness: ProviderHarness) -> None:
    first, again = keyed(services), keyed(services)
    assert (first.replayed, again.replayed) == (False, True)
    assert first.value == again.value
    assert len(harness.mailbox.mails) == 1
    assert services.sign_up.confirm(EMAIL, harness.code(), OWNER, again.value) is None


def test_a_sign_up_that_broke_off_is_done_by_the_next_call_with_its_key(
    services: IdentityServices, harness: ProviderHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> datetime:
        raise ConnectionError

    with monkeypatch.context() as broken_off:
        broken_off.setattr(harness.provider, "sign_up", broken)
        with pytest.raises(ConnectionError):
            keyed(services)
    done = keyed(services)
    assert not done.replayed
    assert services.sign_up.confirm(EMAIL, harness.code(), OWNER, done.value) is None
