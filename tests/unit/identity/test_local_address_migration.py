"""A file of the local provider that was written before addresses had one form."""

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from domain.identity.addresses import CollidingAddressesError
from domain.identity.model import Tokens
from integrations.local_identity.address_migration import release_addresses
from integrations.local_identity.tables import AccountsFile
from tests.unit.identity.local_rig import PASSWORD, Rig


def file_of(rig: Rig) -> Path:
    found = rig.settings.identity.accounts_file
    assert found is not None
    return found


def as_before(rig: Rig, emails: dict[UUID, str]) -> None:
    """Write addresses as they were kept before, into a file of then."""
    rig.provider.close()
    with closing(sqlite3.connect(file_of(rig))) as connection, connection:
        connection.execute("PRAGMA user_version=0")
        for sub, email in emails.items():
            connection.execute("UPDATE accounts SET email = ? WHERE sub = ?", (email, sub.bytes))


def kept(rig: Rig) -> dict[UUID, str]:
    with closing(sqlite3.connect(file_of(rig))) as connection:
        return {UUID(bytes=sub): email for sub, email in connection.execute("SELECT sub, email FROM accounts")}


def opened(rig: Rig) -> None:
    file = AccountsFile(file_of(rig))
    try:
        with file.reading():
            pass
    finally:
        file.close()


def test_addresses_get_their_form_once_and_their_owners_sign_in(rig: Rig) -> None:
    accounts = [rig.member(f"member{number}@example.org") for number in range(4)]
    before = ("Mu\u0308ller@example.org", "mia@b\u00fccher.example", "eve\u200b@example.org", "no address")
    as_before(rig, {account.sub: email for account, email in zip(accounts, before, strict=True)})
    for _ in range(2):
        opened(rig)
        assert list(kept(rig).values()) == [
            *("m\u00fcller@example.org", "mia@xn--bcher-kva.example", "eve@example.org", "no address")
        ]
    again = Rig(rig.settings.data_dir)
    for email in ("MU\u0308LLER@example.org", "mia@B\u00dcCHER.example", "eve@example.org"):
        assert isinstance(again.provider.sign_in(email, PASSWORD), Tokens)
    again.provider.close()


def test_accounts_that_would_collide_stop_it_until_one_of_them_gives_its_address_up(rig: Rig) -> None:
    owner, other, third = (rig.member(f"member{number}@example.org") for number in range(3))
    before = {owner.sub: "mia@example.org", other.sub: "mi\u200ba@example.org", third.sub: "EVE@example.org"}
    as_before(rig, before)
    with pytest.raises(CollidingAddressesError, match="--release-address") as refused:
        opened(rig)
    assert str(owner.sub) in str(refused.value)
    assert str(other.sub) in str(refused.value)
    assert str(third.sub) not in str(refused.value)
    assert "mia" not in str(refused.value)
    assert kept(rig) == before, "nothing was changed"
    assert release_addresses(file_of(rig), [other.sub, UUID(int=1)]) == {other.sub}
    opened(rig)
    now = kept(rig)
    assert (now[owner.sub], now[third.sub]) == ("mia@example.org", "eve@example.org")
    assert now[other.sub].endswith("@account.invalid")


def test_where_there_is_no_file_nothing_is_released(tmp_path: Path) -> None:
    assert release_addresses(tmp_path / "none.sqlite3", [UUID(int=1)]) == set()
    assert not (tmp_path / "none.sqlite3").exists()
