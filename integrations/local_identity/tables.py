"""The local provider's own database. No other module reads it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

from domain.column_types import Id, Instant
from domain.identity.email_addresses import repaired_address
from domain.identity.ports import ProviderUnavailableError
from domain.unit_of_work import Store, is_unavailable
from integrations.local_identity.address_migration import normalise_addresses

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("sub", Id, primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("password", String(200)),  # argon2id, encoded; null: no password was set
    Column("enabled", Boolean, nullable=False),
    Column("confirmed", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
)

account_groups = Table(
    "account_groups",
    metadata,
    Column("sub", Id, ForeignKey("accounts.sub", ondelete="CASCADE"), primary_key=True),
    Column("name", String(128), primary_key=True, index=True),
)


def _mailed_code_columns() -> list[Column[Any]]:
    return [
        Column("number", Integer, primary_key=True),  # by age
        Column("id", Id, nullable=False, unique=True),
        Column("email", String(254), nullable=False, index=True),
        Column("network", String(64), nullable=False),  # of the client
        Column("code_hash", String(64), nullable=False),
        Column("wrong_tries", Integer, nullable=False),  # of attempts with the record id
        Column(
            "wrong_tries_without_id", Integer, nullable=False
        ),  # of attempts without, while this record was the newest
        Column("created_at", Instant, nullable=False),
        Column("expires_at", Instant, nullable=False, index=True),
    ]


sign_ups = Table(
    "sign_ups",
    metadata,
    *_mailed_code_columns(),
    Column("name", String(200), nullable=False),
    Column("password", String(200), nullable=False),  # argon2id, encoded
)

resets = Table("resets", metadata, *_mailed_code_columns())

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("session_id", Id, nullable=False, index=True),
    Column("sub", Id, ForeignKey("accounts.sub", ondelete="CASCADE"), nullable=False, index=True),
    Column("auth_time", Integer, nullable=False),
    Column("spent", Boolean, nullable=False),
    Column("spent_at", Instant),  # also null after the session has ended: the successor is not repeated
    Column("spent_by", String(64)),  # HMAC of the device under the token; see `codes`
    Column("successor", String(200)),  # sealed with this token, which is stored nowhere
    Column("expires_at", Instant, nullable=False, index=True),
)

authorization_codes = Table(
    "authorization_codes",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("sub", Id, ForeignKey("accounts.sub", ondelete="CASCADE"), nullable=False),
    Column("redirect_uri", String(2000), nullable=False),
    Column("challenge", String(128)),
    Column("session_id", Id),  # of the tokens that were issued for it
    Column("expires_at", Instant, nullable=False),
    Index("ix_authorization_codes_expires_at", "expires_at"),
)

_former_codes = Table(
    "codes",
    MetaData(),
    Column("sub", Id, primary_key=True),
    Column("purpose", String(16), primary_key=True),
    Column("code_hash", String(64), nullable=False),
    Column("wrong_tries", Integer, nullable=False),
    Column("expires_at", Instant, nullable=False),
)
# Imported accounts may be unconfirmed too, but have no password. A disabled account stays disabled.
_IS_SIGN_UP = (accounts.c.confirmed.is_(False), accounts.c.enabled.is_(True), accounts.c.password.is_not(None))


class AccountsFile:
    """The database file and its transactions; created on first use. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._store: Store | None = None
        self._opening = Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for queries."""
        with _translate_errors(), self._open().reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction."""
        with _translate_errors(), self._open().writing() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        if self._store is not None:
            self._store.close()

    def _open(self) -> Store:
        with self._opening:
            if self._store is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
                store = Store(f"sqlite:///{self._path}", pool_size=8)
                try:
                    with store.writing() as connection:
                        metadata.create_all(connection)
                        _add_new_columns(connection, refresh_tokens)
                        _migrate_former_codes(connection)
                        normalise_addresses(connection)
                except BaseException:
                    store.close()
                    raise
                self._store = store
            return self._store


def _migrate_former_codes(connection: Connection) -> None:
    """Migrate files from before sign-ups had their own table: they have a table `codes` and unconfirmed accounts.

    Each such account becomes a sign-up with the same password, name, code and expiry. Reset codes, which are valid for
    minutes, are dropped; users can request new ones.
    """
    if not inspect(connection).has_table(_former_codes.name):
        return
    waiting = (
        select(accounts, _former_codes.c.code_hash, _former_codes.c.wrong_tries, _former_codes.c.expires_at)
        .join(_former_codes, _former_codes.c.sub == accounts.c.sub)
        .where(_former_codes.c.purpose == "confirm", *_IS_SIGN_UP)
    )
    for row in connection.execute(waiting).all():
        if (email := repaired_address(row.email)) is None:
            continue
        connection.execute(
            insert(sign_ups).values(
                id=uuid4(),
                email=email,
                network="",
                code_hash=row.code_hash,
                wrong_tries=row.wrong_tries,
                wrong_tries_without_id=0,
                created_at=row.created_at,
                expires_at=row.expires_at,
                name=row.name,
                password=row.password,
            )
        )
    connection.execute(delete(accounts).where(*_IS_SIGN_UP))
    _former_codes.drop(connection)


def _add_new_columns(connection: Connection, table: Table) -> None:
    """Add the nullable columns of later versions."""
    present = {column["name"] for column in inspect(connection).get_columns(table.name)}
    for column in table.columns:
        if column.name not in present:
            kind = column.type.compile(connection.dialect)
            connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}"))


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if is_unavailable(error):
            raise ProviderUnavailableError("Service unavailable: local identity provider (database busy)") from error
        raise
    except NoConnectionFreeError as error:
        raise ProviderUnavailableError("Service unavailable: local identity provider (no free connection)") from error
    except OSError as error:
        raise ProviderUnavailableError(
            "Service unavailable: local identity provider (database file cannot be opened)"
        ) from error
