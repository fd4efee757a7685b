"""One-time migration of a database from before mail addresses had a normal form."""

from collections.abc import Collection
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, column, inspect, select, table, text, update

from domain.column_types import Id
from domain.identity.email_addresses import refuse_collisions, repaired_address
from domain.unit_of_work import Store

_ACCOUNTS = table("accounts", column("sub", Id()), column("email"))
_SCHEMA_VERSION = 1  # SQLite's `user_version`; a new file has 0


def normalise_addresses(connection: Connection) -> None:
    """Normalise all addresses. An invalid one stays as it is; nobody can sign in with it.

    Raises:
        CollidingAddressesError: two accounts have the same normalised address; nothing was changed.
    """
    if connection.execute(text("PRAGMA user_version")).scalar_one() >= _SCHEMA_VERSION:
        return
    rows = connection.execute(select(_ACCOUNTS.c.sub, _ACCOUNTS.c.email)).all()
    normal = {row.sub: repaired_address(row.email) or row.email for row in rows}
    refuse_collisions(normal.items())
    for row in rows:
        if normal[row.sub] != row.email:
            connection.execute(update(_ACCOUNTS).where(_ACCOUNTS.c.sub == row.sub).values(email=normal[row.sub]))
    connection.execute(text(f"PRAGMA user_version={_SCHEMA_VERSION}"))


def release_addresses(path: Path, subs: Collection[UUID]) -> set[UUID]:
    """Remove the addresses of accounts, so that other accounts can have them. Returns the accounts that existed."""
    if not path.exists():
        return set()
    store = Store(f"sqlite:///{path}", pool_size=1)
    try:
        with store.writing() as connection:
            if not inspect(connection).has_table(_ACCOUNTS.name):
                return set()
            found = set(connection.execute(select(_ACCOUNTS.c.sub).where(_ACCOUNTS.c.sub.in_(subs))).scalars())
            for sub in found:
                # A reserved domain (RFC 6761): nobody receives a code for it.
                released = f"released-{sub}@account.invalid"
                connection.execute(update(_ACCOUNTS).where(_ACCOUNTS.c.sub == sub).values(email=released))
            return found
    finally:
        store.close()
