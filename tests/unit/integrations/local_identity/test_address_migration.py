"""A file of the local provider that was written before addresses had one form."""

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from domain.identity.email_addresses import CollidingAddressesError
from domain.identity.model import Tokens
from integrations.local_identity.address_migration import release_addresses
from integrations.local_identity.tables import AccountsFile
from tests.unit.integrations.local_identity.harness import PASSWORD, ProviderHarness


def file_of(harness: ProviderHarness) -> Path:
    found = harness.settings.identity.accounts_file
    assert found is not None
    return found


def as_before(harness: ProviderHarness, emails: dict[UUID, str]) -> None:
    """Write addresses as they were kept before, into a file of then."""
    harness.provider.close()
    with closing(sqlite3.connect(file_of(harness))) as connection, connection:
        connection.execute("PRAGMA user_version=0")
        for sub, email in emails.items():
            connection.execute("UPDATE accounts SET email = ? WHERE sub = ?", (email, sub.bytes))


def kept(harness: ProviderHarness) -> dict[UUID, str]:
    with closing(sqlite3.connect(file_of(harness))) as connection:
        return {UUID(bytes=sub): email for sub, email in connection.execute("SELECT sub, email FROM accounts")}


def opened(harness: ProviderHarness) -> None:
    file = AccountsFile(file_of(harness))
    try:
        with file.reading():
            pass
    finally:
        file.close()


def test_addresses_get_their_form_once_and_their_owners_sign_in(harness: ProviderHarness) -> None:
    accounts = [harness.member(f"member{number}@example.org") for number in range(4)]
    before = ("Mu\u0308ller@example.org", "mia@b\u00fccher.example", "eve\u200b@example.org", "no address")
    as_before(harness, {account.sub: email for account, email in zip(accounts, before, strict=True)})
    for _ in range(2):
        opened(harness)
        assert list(kept(harness).values()) == [
            *("m\u00fcller@example.org", "mia@xn--bcher-kva.example", "eve@example.org", "no address")
        ]
    again = ProviderHarness(harness.settings.data_dir)
    for email in ("MU\u0308LLER@example.org", "mia@B\u00dcCHER.example", "eve@example.org"):
        assert isinstance(again.provider.sign_in(email, PASSWORD), Tokens)
    again.provider.close()


def test_accounts_that_would_collide_stop_it_until_one_of_them_gives_its_address_up(harness: ProviderHarness) -> None:
    owner, other, third = (harness.member(f"member{number}@example.org") for number in range(3))
    before = {owner.sub: "mia@example.org", other.sub: "mi\u200ba@example.org", third.sub: "EVE@example.org"}
    as_before(harness, before)
    with pytest.raises(CollidingAddressesError, match="--release-address") as refused:
        opened(harness)
    assert str(owner.sub) in str(refused.value)
    assert str(other.sub) in str(refused.value)
    assert str(third.sub) not in str(refused.value)
    assert "mia" not in str(refused.value)
    assert kept(harness) == before, "nothing was changed"
    assert release_addresses(file_of(harness), [other.sub, UUID(int=1)]) == {other.sub}
    opened(harness)
    now = kept(harness)
    assert (now[owner.sub], now[third.sub]) == ("mia@example.org", "eve@example.org")
    assert now[other.sub].endswith("@account.invalid")


def test_where_there_is_no_file_nothing_is_released(tmp_path: Path) -> None:
    assert release_addresses(tmp_path / "none.sqlite3", [UUID(int=1)]) == set()
    assert not (tmp_path / "none.sqlite3").exists()
