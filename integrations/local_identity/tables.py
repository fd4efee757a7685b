"""The file that the local provider keeps accounts in. Nobody else reads it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from sqlalchemy import Boolean, Column, Connection, ForeignKey, Index, Integer, MetaData, String, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

from domain.column_types import Id, Instant
from domain.identity.ports import ProviderAwayError
from domain.unit_of_work import Store, is_away
from integrations.local_identity.address_forms import normalise_addresses

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("sub", Id, primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("password", String(200)),  # argon2id, encoded; null: none was ever set
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

codes = Table(
    "codes",
    metadata,
    Column("sub", Id, ForeignKey("accounts.sub", ondelete="CASCADE"), primary_key=True),
    Column("purpose", String(16), primary_key=True),
    Column("code_hash", String(64), nullable=False),
    Column("wrong_tries", Integer, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("session_id", Id, nullable=False, index=True),
    Column("sub", Id, ForeignKey("accounts.sub", ondelete="CASCADE"), nullable=False, index=True),
    Column("auth_time", Integer, nullable=False),
    Column("spent", Boolean, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

authorization_codes = Table(
    "authorization_codes",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("sub", Id, ForeignKey("accounts.sub", ondelete="CASCADE"), nullable=False),
    Column("redirect_uri", String(2000), nullable=False),
    Column("challenge", String(128)),
    Column("session_id", Id),  # of the tokens that it was exchanged for
    Column("expires_at", Instant, nullable=False),
    Index("ix_authorization_codes_expires_at", "expires_at"),
)


class AccountsFile:
    """The file and its units of work; made when it is first asked for. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._store: Store | None = None
        self._opening = Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for questions."""
        with _away(), self._open().reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A unit of work."""
        with _away(), self._open().writing() as connection:
            yield connection

    def close(self) -> None:
        """Give back every connection."""
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
                        normalise_addresses(connection)
                except BaseException:
                    store.close()
                    raise
                self._store = store
            return self._store


@contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if is_away(error):
            raise ProviderAwayError("the local provider's file is busy") from error
        raise
    except NoConnectionFreeError as error:
        raise ProviderAwayError("the local provider has too much to do") from error
    except OSError as error:
        raise ProviderAwayError("the local provider's file cannot be opened") from error
