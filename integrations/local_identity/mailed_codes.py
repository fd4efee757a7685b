"""Sign-ups and resets of the local provider: records apart from accounts, each with a code that was sent by mail."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, insert, select, update

from domain.identity.codes import normal_code
from integrations.local_identity.accounts import normal_address
from integrations.local_identity.tables import resets, sign_ups

OPEN_AT_ONCE = 10  # of one address
OPEN_OF_NETWORK = 5  # of one address, asked for from one network: nobody takes all places from one machine
WRONG_TRIES = 5
# Of those who do not name the record. Strangers can make them, so they do not spend the code for its owner, who names
# it. The desk holds strangers off at fifty an hour, so a reset stays open to its owner without the id as well.
WRONG_TRIES_WITHOUT_ID = 50


class Purpose(NamedTuple):
    """What a code is for: where its records are, and how long one stays open."""

    table: Table
    lifetime: timedelta


SIGN_UP = Purpose(sign_ups, timedelta(hours=24))
RESET = Purpose(resets, timedelta(minutes=15))


class Opened(NamedTuple):
    """A record and the code to send."""

    id: UUID
    code: str


class MailedCodes:
    """Records of one purpose, within one unit of work. A new record never replaces another one of its address."""

    def __init__(self, connection: Connection, purpose: Purpose, now: datetime) -> None:
        self._connection = connection
        self._table = purpose.table
        self._lifetime = purpose.lifetime
        self._now = now

    def open(self, email: str, network: str, **values: object) -> Opened | None:
        """Keep a record; None: too many are open.

        Args:
            email: the address.
            network: of whoever asks.
            values: further columns.
        """
        self._connection.execute(delete(self._table).where(self._table.c.expires_at <= self._now))
        present = self._open_of(email)
        if len(present) >= OPEN_AT_ONCE or sum(row.network == network for row in present) >= OPEN_OF_NETWORK:
            return None
        opened = Opened(uuid4(), _new_code(present))
        self._connection.execute(
            insert(self._table).values(
                id=opened.id,
                email=normal_address(email),
                network=network,
                code_hash=_hash(opened.code),
                wrong_tries=0,
                wrong_tries_without_id=0,
                created_at=self._now,
                expires_at=self._now + self._lifetime,
                **values,
            )
        )
        return opened

    def replace_code(self, email: str, record_id: UUID) -> str | None:
        """Another code in place of that of an open record, with tries of its own; None: there is no such record."""
        present = self._open_of(email)
        if all(row.id != record_id for row in present):
            return None
        code = _new_code(present)
        self._change(self._table.c.id == record_id, code_hash=_hash(code), wrong_tries=0, wrong_tries_without_id=0)
        return code

    def newest(self, email: str) -> Row[Any] | None:
        """The open record of an address that was made last."""
        return next(reversed(self._open_of(email)), None)

    def matching(self, email: str, typed: str, record_id: UUID | None) -> Row[Any] | None:
        """The open record whose code this is; a wrong code is counted.

        Args:
            email: the address.
            typed: the code as it was typed.
            record_id: only this record counts, and only its tries. None: every open record of the address; a wrong
                code then is no try of those who name theirs.
        """
        code = _hash(normal_code(typed))
        found = None
        for row in self._open_of(email):
            if record_id is None:
                may = row.wrong_tries < WRONG_TRIES and row.wrong_tries_without_id < WRONG_TRIES_WITHOUT_ID
            else:
                may = row.wrong_tries < WRONG_TRIES and row.id == record_id
            if may and hmac.compare_digest(row.code_hash, code):
                found = row
        if found is None:
            self._count(email, record_id)
        return found

    def drop(self, record_id: UUID) -> None:
        """End one record."""
        self._connection.execute(delete(self._table).where(self._table.c.id == record_id))

    def drop_all(self, email: str) -> None:
        """End every record of an address."""
        self._connection.execute(delete(self._table).where(self._table.c.email == normal_address(email)))

    def _count(self, email: str, record_id: UUID | None) -> None:
        columns = self._table.c
        ours = columns.email == normal_address(email)
        if record_id is None:
            self._change(ours, wrong_tries_without_id=columns.wrong_tries_without_id + 1)
        else:
            self._change(ours & (columns.id == record_id), wrong_tries=columns.wrong_tries + 1)

    def _open_of(self, email: str) -> list[Row[Any]]:
        columns = self._table.c
        query = select(self._table).where(columns.email == normal_address(email), columns.expires_at > self._now)
        return list(self._connection.execute(query.order_by(columns.number)).all())

    def _change(self, which: ColumnElement[bool], **values: object) -> None:
        self._connection.execute(update(self._table).where(which).values(**values))


def _new_code(present: list[Row[Any]]) -> str:
    """Six digits that no open record of the address has: a code names its record."""
    taken = {row.code_hash for row in present}
    while True:
        code = f"{secrets.randbelow(1_000_000):06d}"
        if _hash(code) not in taken:
            return code


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode(errors="surrogatepass")).hexdigest()
