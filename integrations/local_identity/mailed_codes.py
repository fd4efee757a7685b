"""Sign-ups and password resets of the local provider: records apart from accounts, each with a code sent by mail."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, Table, delete, func, insert, select, update

from domain.identity.codes import normal_code
from domain.identity.email_addresses import normal_address, normal_address_or_none
from integrations.local_identity.tables import resets, sign_ups

MAX_OPEN_RECORDS = 10  # per address
MAX_OPEN_RECORDS_PER_NETWORK = 5  # per address: one network cannot use all of them
MAX_WRONG_ATTEMPTS = 5
# Per address, for attempts without a record id. They are counted separately, because strangers can make them: they use
# up none of the attempts of the owner, who sends an id. With at most 10 open records, guessing succeeds with a
# probability of 500 in a million per day.
MAX_WRONG_ATTEMPTS_WITHOUT_ID = 50
_KEPT_AFTER_EXPIRY = timedelta(hours=24)  # for the number of wrong attempts


class CodePurpose(NamedTuple):
    """Purpose of a code: its table, and its lifetime."""

    table: Table
    lifetime: timedelta


SIGN_UP = CodePurpose(sign_ups, timedelta(hours=24))
RESET = CodePurpose(resets, timedelta(minutes=15))


class CreatedRecord(NamedTuple):
    """A new record and the code to send."""

    id: UUID
    code: str


class MailedCodes:
    """Records of one purpose, within one transaction. A new record never replaces another one of its address."""

    def __init__(self, connection: Connection, purpose: CodePurpose, now: datetime) -> None:
        self._connection = connection
        self._table = purpose.table
        self._lifetime = purpose.lifetime
        self._now = now

    def create(self, email: str, network: str, **values: object) -> CreatedRecord | None:
        """Create a record; None if too many are open.

        Args:
            email: the address.
            network: network of the client.
            values: additional columns.
        """
        self._connection.execute(delete(self._table).where(self._table.c.expires_at <= self._now - _KEPT_AFTER_EXPIRY))
        open_records = self._open_of(email)
        if (
            len(open_records) >= MAX_OPEN_RECORDS
            or sum(row.network == network for row in open_records) >= MAX_OPEN_RECORDS_PER_NETWORK
        ):
            return None
        created = CreatedRecord(uuid4(), _new_code(open_records))
        self._connection.execute(
            insert(self._table).values(
                id=created.id,
                email=normal_address(email),
                network=network,
                code_hash=_hash(created.code),
                wrong_tries=0,
                wrong_tries_without_id=0,
                created_at=self._now,
                expires_at=self._now + self._lifetime,
                **values,
            )
        )
        return created

    def replace_code(self, email: str, record_id: UUID) -> str | None:
        """Replace the code of an open record and reset its attempts; None if there is no such record."""
        open_records = self._open_of(email)
        if all(row.id != record_id for row in open_records):
            return None
        code = _new_code(open_records)
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
        open_records = [row for row in self._open_of(email) if record_id in {None, row.id}]
        for row in open_records:
            if row.wrong_tries < MAX_WRONG_ATTEMPTS and hmac.compare_digest(row.code_hash, code):
                found = row
        if record_id is None and self._wrong_attempts_without_id(email) >= MAX_WRONG_ATTEMPTS_WITHOUT_ID:
            found = None
        if found is None and open_records:
            column = self._table.c.wrong_tries_without_id if record_id is None else self._table.c.wrong_tries
            self._change(open_records[-1].id, **{column.name: column + 1})
        return found

    def drop(self, record_id: UUID) -> None:
        """Delete a record."""
        self._connection.execute(delete(self._table).where(self._table.c.id == record_id))

    def drop_all(self, email: str) -> None:
        """Delete all records of an address."""
        self._connection.execute(delete(self._table).where(self._table.c.email == normal_address_or_none(email)))

    def _wrong_attempts_without_id(self, email: str) -> int:
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


def _new_code(open_records: list[Row[Any]]) -> str:
    """Six digits that no open record of the address has, because a code identifies its record."""
    taken = {row.code_hash for row in open_records}
    while True:
        code = f"{secrets.randbelow(1_000_000):06d}"
        if _hash(code) not in taken:
            return code


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode(errors="surrogatepass")).hexdigest()
