"""The file of accounts: who reads it, who may write at once, what happens while it cannot be had."""

import sqlite3
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from domain.identity.model import IdentityProblem
from domain.identity.ports import Account, ProviderUnavailableError
from integrations.local_identity.keys import NoLocalIdentityError
from integrations.local_identity.mailed_codes import MAX_OPEN_RECORDS
from integrations.local_identity.provider import LocalProvider
from tests.mailbox import Mailbox
from tests.unit.integrations.local_identity.harness import EMAIL, PASSWORD, ProviderHarness, light_settings, problem_of

MOMENT = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)


def members(count: int) -> list[Account]:
    return [
        Account(
            uuid4(),
            f"m{number}@example.com",
            f"M {number}",
            enabled=True,
            confirmed=True,
            created_at=MOMENT,
            groups=("Staff", "User"),
        )
        for number in range(count)
    ]


def file_of(harness: ProviderHarness) -> Path:
    assert harness.settings.identity.accounts_file is not None
    return harness.settings.identity.accounts_file


@contextmanager
def held_by_another(file: Path) -> Iterator[None]:
    """Somebody else writes and does not come to an end."""
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        connection.close()


def create_in_a_process(folder: Path) -> list[UUID | IdentityProblem | None]:
    """What a process of its own does that finds no file: the same address as all others, and one of its own."""
    provider = LocalProvider(light_settings(folder), Mailbox())
    try:
        answers = [provider.create(email, "Ana", PASSWORD) for email in (EMAIL, f"{uuid4()}@example.com")]
    finally:
        provider.close()
    return [answer.sub if isinstance(answer, Account) else problem_of(answer) for answer in answers]


def test_nothing_is_opened_before_it_is_asked_for(harness: ProviderHarness) -> None:
    assert not file_of(harness).exists()
    harness.member()
    assert file_of(harness).exists()


def test_only_its_owner_reads_the_file_and_what_lies_beside_it(harness: ProviderHarness) -> None:
    harness.member()
    files = list(file_of(harness).parent.glob("accounts.sqlite3*"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert len(files) == 3  # the file, its log, and the log's index


def test_what_was_kept_is_there_after_a_new_start(tmp_path: Path) -> None:
    first = ProviderHarness(tmp_path)
    account = first.member()
    tokens = first.signed_in()
    first.provider.close()
    second = ProviderHarness(tmp_path)
    assert second.provider.account(account.sub) == account
    second.refreshed(tokens)
    second.provider.close()


def test_processes_that_race_for_a_new_file_make_one_account_of_an_address(tmp_path: Path) -> None:
    light_settings(tmp_path)
    with get_context("fork").Pool(4) as pool:
        answers = pool.map(create_in_a_process, [tmp_path] * 8, chunksize=1)
    same, own = zip(*answers, strict=True)
    assert [answer for answer in same if answer is not IdentityProblem.EMAIL_IN_USE] == [
        answer for answer in same if isinstance(answer, UUID)
    ]
    assert sum(isinstance(answer, UUID) for answer in same) == 1
    assert all(isinstance(answer, UUID) for answer in own)


def test_threads_that_sign_up_with_one_address_at_once_stay_within_its_bound(harness: ProviderHarness) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda number: harness.provider.sign_up(EMAIL, PASSWORD, "Ana", str(number)), range(16))
        )
    assert all(isinstance(answer, UUID) for answer in answers)
    assert len({mail.code for mail in harness.mailbox.mails}) == len(harness.mailbox.mails) == MAX_OPEN_RECORDS


def test_more_threads_than_connections_all_get_their_answer(harness: ProviderHarness) -> None:
    account = harness.member()
    with ThreadPoolExecutor(24) as threads:
        found = list(threads.map(lambda _: harness.provider.account(account.sub), range(96)))
    assert found == [account] * 96


def test_while_another_holds_the_file_nothing_is_written_but_questions_are_answered(harness: ProviderHarness) -> None:
    account = harness.member()
    with held_by_another(file_of(harness)):
        with pytest.raises(ProviderUnavailableError, match="busy"):
            harness.provider.rename(account.sub, "Ana Sousa")
        assert harness.provider.account(account.sub) == account
    harness.provider.rename(account.sub, "Ana Sousa")


def test_a_file_that_cannot_be_opened_is_reported_and_tried_again(harness: ProviderHarness) -> None:
    file_of(harness).mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(ProviderUnavailableError):
            harness.provider.account_of(EMAIL)
    file_of(harness).rmdir()
    assert harness.provider.account_of(EMAIL) is None


def test_a_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    settings = light_settings(tmp_path)
    (tmp_path / "taken").write_text("", encoding="utf-8")
    settings.identity.accounts_file = tmp_path / "taken" / "accounts.sqlite3"
    with pytest.raises(ProviderUnavailableError, match="cannot be opened"):
        LocalProvider(settings, Mailbox()).account_of(EMAIL)


def test_where_somebody_else_is_the_provider_there_is_no_local_one(tmp_path: Path) -> None:
    settings = light_settings(tmp_path)
    settings.identity.accounts_file = None
    with pytest.raises(NoLocalIdentityError):
        LocalProvider(settings, Mailbox())


def test_accounts_made_elsewhere_keep_their_id_their_groups_and_their_time(harness: ProviderHarness) -> None:
    [one, other] = members(2)
    harness.provider.add_accounts([one, other])
    assert one.email
    assert other.email
    assert harness.provider.account(one.sub) == one
    assert harness.provider.account_of(other.email) == other
    assert problem_of(harness.provider.sign_in(one.email, "")) is IdentityProblem.WRONG_CREDENTIALS


def test_an_account_taken_over_gets_a_password_by_a_code_or_from_an_admin(harness: ProviderHarness) -> None:
    [account] = [replace(account, email=EMAIL) for account in members(1)]
    harness.provider.add_accounts([account])
    assert problem_of(harness.provider.set_password(account.sub, "short")) is IdentityProblem.WEAK_PASSWORD
    assert harness.provider.set_password(account.sub, PASSWORD) is None
    harness.signed_in()


def test_accounts_that_are_known_are_left_as_they_are(harness: ProviderHarness) -> None:
    [one, other] = members(2)
    harness.provider.add_accounts([one])
    harness.provider.rename(one.sub, "Another name")
    harness.provider.add_accounts([one, other])
    harness.provider.add_accounts([])
    found = harness.provider.account(one.sub)
    assert found is not None
    assert found.name == "Another name"
    assert harness.provider.account(other.sub) == other


def test_an_address_that_another_account_has_stops_all_of_them(harness: ProviderHarness) -> None:
    harness.member("m1@example.com", None)
    [one, other] = members(2)
    with pytest.raises(ValueError, match="another account"):
        harness.provider.add_accounts([one, other])
    assert harness.provider.account(one.sub) is None


def test_ten_thousand_accounts_are_taken_over_in_seconds_and_listed(harness: ProviderHarness) -> None:
    many = members(10_000)
    begun = time.process_time()
    harness.provider.add_accounts(many)
    harness.provider.add_accounts(many)
    assert time.process_time() - begun < 10  # of this process: how busy the machine is does not count
    found: list[Account] = []
    after: str | None = None
    while True:
        page = harness.provider.page(1000, after)
        found += page.items
        after = page.next
        if after is None:
            break
    assert found == sorted(many, key=lambda account: account.sub)


def test_a_page_goes_on_where_the_last_one_ended_though_its_last_account_was_deleted(harness: ProviderHarness) -> None:
    many = sorted(members(5), key=lambda account: account.sub)
    harness.provider.add_accounts(many)
    first = harness.provider.page(2, None)
    harness.provider.delete(many[1].sub)
    assert harness.provider.page(2, first.next).items == tuple(many[2:4])


def test_a_group_of_nobody_known_is_not_made(harness: ProviderHarness) -> None:
    harness.provider.add_to_group(uuid4(), "Admin")
    assert harness.provider.enabled_members_of("Admin") == set()
