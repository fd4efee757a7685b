"""Sign-ups and password resets of the local provider: records apart from accounts, each with a code sent by mail."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, Table, delete, func, insert, select, update

from domain.identity.addresses import normal_address, normal_address_or_none
from domain.identity.codes import normal_code
from integrations.local_identity.tables import resets, sign_ups

MAX_OPEN_RECORDS = 10  # of one address
MAX_OPEN_RECORDS_PER_NETWORK = 5  # of one address, asked for from one network: nobody takes all places from one machine
MAX_WRONG_ATTEMPTS = 5
# Of those who do not name a record, for one address, as long as its records are remembered. Strangers can make them,
# so they spend nothing of what its owner names; after so many a record has to be named. Guessing all records of an
# address at once succeeds with a probability of 500 in a million a day.
MAX_WRONG_ATTEMPTS_WITHOUT_ID = 50
_REMEMBERED = timedelta(hours=24)  # after a record has expired, for the number of wrong tries


class Purpose(NamedTuple):
    """Purpose of a code: its table, and its lifetime."""

    table: Table
    lifetime: timedelta


SIGN_UP = Purpose(sign_ups, timedelta(hours=24))
RESET = Purpose(resets, timedelta(minutes=15))


class Opened(NamedTuple):
    """A new record and the code to send."""

    id: UUID
    code: str


class MailedCodes:
    """Records of one purpose, within one transaction. A new record never replaces another one of its address."""

    def __init__(self, connection: Connection, purpose: Purpose, now: datetime) -> None:
        self._connection = connection
        self._table = purpose.table
        self._lifetime = purpose.lifetime
        self._now = now

    def open(self, email: str, network: str, **values: object) -> Opened | None:
        """Create a record; None if too many are open.

        Args:
            email: the address.
            network: network of the client.
            values: additional columns.
        """
        self._connection.execute(delete(self._table).where(self._table.c.expires_at <= self._now - _REMEMBERED))
        present = self._open_of(email)
        if (
            len(present) >= MAX_OPEN_RECORDS
            or sum(row.network == network for row in present) >= MAX_OPEN_RECORDS_PER_NETWORK
        ):
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
        """Replace the code of an open record and reset its attempts; None if there is no such record."""
        present = self._open_of(email)
        if all(row.id != record_id for row in present):
            return None
        code = _new_code(present)
        self._change(record_id, code_hash=_hash(code), wrong_tries=0)
        return code

    def newest(self, email: str) -> Row[Any] | None:
        """The newest open record of an address."""
        return next(reversed(self._open_of(email)), None)

    def matching(self, email: str, typed: str, record_id: UUID | None) -> Row[Any] | None:
        """The open record with this code. A wrong code is counted.

        Args:
            email: the address.
            typed: the code as typed.
            record_id: check and count only this record. None: check all open records of the address; a wrong code then
                does not count as an attempt of clients that send a record id.
        """
        code, found = _hash(normal_code(typed)), None
        present = [row for row in self._open_of(email) if record_id in {None, row.id}]
        for row in present:
            if row.wrong_tries < MAX_WRONG_ATTEMPTS and hmac.compare_digest(row.code_hash, code):
                found = row
        if record_id is None and self._tries_without_id(email) >= MAX_WRONG_ATTEMPTS_WITHOUT_ID:
            found = None
        if found is None and present:
            column = self._table.c.wrong_tries_without_id if record_id is None else self._table.c.wrong_tries
            self._change(present[-1].id, **{column.name: column + 1})
        return found

    def drop(self, record_id: UUID) -> None:
        """Delete a record."""
        self._connection.execute(delete(self._table).where(self._table.c.id == record_id))

    def drop_all(self, email: str) -> None:
        """Delete all records of an address."""
        self._connection.execute(delete(self._table).where(self._table.c.email == normal_address_or_none(email)))

    def _tries_without_id(self, email: str) -> int:
        columns = self._table.c
        query = select(func.sum(columns.wrong_tries_without_id)).where(columns.email == normal_address_or_none(email))
        return int(self._connection.execute(query).scalar_one() or 0)

    def _open_of(self, email: str) -> list[Row[Any]]:
        columns = self._table.c
        query = select(self._table).where(
            columns.email == normal_address_or_none(email), columns.expires_at > self._now
        )
        return list(self._connection.execute(query.order_by(columns.number)).all())

    def _change(self, record_id: UUID, **values: object) -> None:
        self._connection.execute(update(self._table).where(self._table.c.id == record_id).values(**values))


def _new_code(present: list[Row[Any]]) -> str:
    """Six digits that no open record of the address has, because a code identifies its record."""
    taken = {row.code_hash for row in present}
    while True:
        code = f"{secrets.randbelow(1_000_000):06d}"
        if _hash(code) not in taken:
            return code


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode(errors="surrogatepass")).hexdigest()
