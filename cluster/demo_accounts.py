"""The demo's users as accounts of the local identity provider, some of whom can sign in."""

import secrets
from typing import Any

from sqlalchemy import Connection, select

from domain.identity.ports import Account
from domain.tables import user_roles, users
from integrations.local_identity.provider import LocalProvider
from integrations.mail import open_mailer
from integrations.settings import Settings


def add_demo_accounts(settings: Settings, connection: Connection, demo: dict[str, Any]) -> bool:
    """Make an account for each user of the demo that has none, and passwords for those who have none in `demo`.

    Args:
        settings: name the provider's file; nothing is done where there is another provider.
        connection: the store with the demo.
        demo: what its file says; passwords are put into it.

    Returns:
        Whether `demo` was changed.
    """
    if settings.identity.accounts_file is None:
        return False
    provider = LocalProvider(settings, open_mailer(settings))
    try:
        accounts = _accounts(connection, {who["email"] for who in [*demo["members"], *_people(demo)]})
        new = {account.email or "": account.sub for account in accounts if provider.account(account.sub) is None}
        for email in new:
            of_another_demo = provider.account_of(email)
            if of_another_demo is not None:
                provider.delete(of_another_demo.sub)
        provider.add_accounts(accounts)
        without = [who for who in _people(demo) if "password" not in who]
        for who in without:
            who["password"] = secrets.token_urlsafe(15)
        subs = {account.email: account.sub for account in accounts}  # without those who were deleted since
        for who in _people(demo):
            if who["email"] in subs and (who in without or who["email"] in new):
                provider.set_password(subs[who["email"]], who["password"])
    finally:
        provider.close()
    return bool(without)


def _people(demo: dict[str, Any]) -> list[dict[str, Any]]:
    """Those who get passwords: an admin, somebody of the staff, a member."""
    return [demo["admin"], demo["staff"], demo["members"][0]]


def _accounts(connection: Connection, emails: set[str]) -> list[Account]:
    rows = connection.execute(
        select(users, user_roles.c.role)
        .outerjoin(user_roles, user_roles.c.user_id == users.c.id)
        .where(users.c.email.in_(emails))
    ).all()
    groups: dict[Any, list[str]] = {}
    for row in rows:
        groups.setdefault(row.id, []).extend([row.role] if row.role else [])
    return [
        Account(row.id, row.email, row.name, True, True, row.created_at, tuple(sorted(groups[row.id])))  # noqa: FBT003 - enabled, confirmed
        for row in {row.id: row for row in rows}.values()
    ]
