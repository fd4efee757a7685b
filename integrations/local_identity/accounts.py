"""Accounts and groups in the local provider's database."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from domain.identity.email_addresses import normal_address, normal_address_or_none
from domain.identity.ports import Account
from domain.text import normalized_text
from integrations.local_identity.tables import account_groups, accounts, resets, sign_ups

_ACCOUNT = (
    accounts.c.sub,
    accounts.c.email,
    accounts.c.name,
    accounts.c.enabled,
    accounts.c.confirmed,
    accounts.c.created_at,
)
_MAX_PARAMETERS = 1000  # of one statement


class Accounts:
    """Queries and changes within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def account(self, sub: UUID) -> Account | None:
        """One account."""
        return next(iter(self._with_groups(select(*_ACCOUNT).where(accounts.c.sub == sub))), None)

    def account_of(self, email: str) -> Account | None:
        """The account of a mail address."""
        address = normal_address_or_none(email)
        if address is None:
            return None
        query = select(*_ACCOUNT).where(accounts.c.email == address)
        return next(iter(self._with_groups(query)), None)

    def page(self, limit: int, after: UUID | None) -> list[Account]:
        """A page of accounts, ordered by `sub`."""
        query = select(*_ACCOUNT).order_by(accounts.c.sub).limit(limit)
        return self._with_groups(query if after is None else query.where(accounts.c.sub > after))

    def existing(self, subs: Sequence[UUID]) -> set[UUID]:
        """The subset of these ids that exists."""
        found: set[UUID] = set()
        for first in range(0, len(subs), _MAX_PARAMETERS):
            chosen = accounts.c.sub.in_(subs[first : first + _MAX_PARAMETERS])
            found.update(self._connection.execute(select(accounts.c.sub).where(chosen)).scalars())
        return found

    def password_hash(self, sub: UUID) -> str | None:
        """The stored password hash."""
        password_hash: str | None = self._connection.execute(
            select(accounts.c.password).where(accounts.c.sub == sub)
        ).scalar_one_or_none()
        return password_hash

    def if_unchanged(self, sub: UUID, password_hash: str) -> Account | None:
        """The account, if it is enabled and still has this password hash."""
        account = self.account(sub)
        return account if account is not None and account.enabled and self.password_hash(sub) == password_hash else None

    def replace_password(self, sub: UUID, current: str | None, new: str) -> bool:
        """Replace the password hash if it is `current`. Returns whether it was."""
        this = (accounts.c.sub == sub, accounts.c.password.is_not_distinct_from(current))
        return self._connection.execute(update(accounts).where(*this).values(password=new)).rowcount == 1

    def add(self, new: Sequence[Account], password: str | None = None) -> None:
        """Add accounts, all with this password hash or without one. Ends the open sign-ups of their addresses.

        Raises:
            sqlalchemy.exc.IntegrityError: a `sub` or an address exists already.
        """
        rows = [
            {
                "sub": account.sub,
                "email": account.email and normal_address(account.email),
                "name": account.name,
                "password": password,
                "enabled": account.enabled,
                "confirmed": account.confirmed,
                "created_at": account.created_at,
            }
            for account in new
        ]
        groups = [{"sub": account.sub, "name": group} for account in new for group in account.groups]
        if rows:
            self._connection.execute(insert(accounts), rows)
            of_address = delete(sign_ups).where(sign_ups.c.email == bindparam("address"))
            self._connection.execute(of_address, [{"address": row["email"]} for row in rows])
        if groups:
            self._connection.execute(insert(account_groups), groups)

    def change(self, sub: UUID, **values: object) -> None:
        """Update columns of an account."""
        self._connection.execute(update(accounts).where(accounts.c.sub == sub).values(**values))

    def remove(self, sub: UUID) -> None:
        """Delete an account with all its data and the open sign-ups of its address."""
        address = select(accounts.c.email).where(accounts.c.sub == sub).scalar_subquery()
        for table in (sign_ups, resets):
            self._connection.execute(delete(table).where(table.c.email == address))
        self._connection.execute(delete(accounts).where(accounts.c.sub == sub))

    def add_to_group(self, sub: UUID, group: str) -> None:
        """Add an account to a group. Idempotent."""
        membership = select(account_groups).where(account_groups.c.sub == sub, account_groups.c.name == group)
        exists = self._connection.execute(select(accounts.c.sub).where(accounts.c.sub == sub)).first()
        if exists and self._connection.execute(membership).first() is None:
            self._connection.execute(insert(account_groups).values(sub=sub, name=group))

    def remove_from_group(self, sub: UUID, group: str) -> None:
        """Remove an account from a group."""
        self._connection.execute(
            delete(account_groups).where(account_groups.c.sub == sub, account_groups.c.name == group)
        )

    def enabled_members(self, group: str) -> set[UUID]:
        """Enabled members of a group."""
        rows = self._connection.execute(
            select(accounts.c.sub)
            .join(account_groups, account_groups.c.sub == accounts.c.sub)
            .where(account_groups.c.name == group, accounts.c.enabled.is_(True))
        )
        return {row.sub for row in rows}

    def _with_groups(self, query: Any) -> list[Account]:  # noqa: ANN401 - SQLAlchemy's own
        rows: Sequence[Row[*tuple[Any, ...]]] = self._connection.execute(query).all()
        chosen = account_groups.c.sub.in_([row[0] for row in rows])
        groups: dict[UUID, list[str]] = {}
        for sub, name in self._connection.execute(select(account_groups).where(chosen).order_by(account_groups.c.name)):
            groups.setdefault(sub, []).append(name)
        return [replace(Account(*row), groups=tuple(groups.get(row[0], ()))) for row in rows]


def new_account(sub: UUID, email: str, name: str, now: datetime, *, confirmed: bool) -> Account:
    """A new enabled account without groups."""
    return Account(sub, normal_address(email), normalized_text(name), enabled=True, confirmed=confirmed, created_at=now)
