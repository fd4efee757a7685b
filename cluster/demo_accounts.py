"""Creates accounts of the local identity provider for the demo's users; three of them get passwords."""

import secrets
from typing import Any

from sqlalchemy import Connection, select

from domain.identity.ports import Account
from domain.identity.tables import user_roles, users
from integrations.local_identity.provider import LocalProvider
from integrations.mail import open_mailer
from integrations.settings import Settings


def add_demo_accounts(settings: Settings, connection: Connection, demo: dict[str, Any]) -> bool:
    """Create the missing accounts of the demo's users, and the missing passwords.

    Args:
        settings: name the accounts file; without one, there is another provider and nothing to do.
        connection: to the database with the demo.
        demo: the content of its file, to which the passwords are added.

    Returns:
        Whether `demo` was changed.
    """
    if settings.identity.accounts_file is None:
        return False
    provider = LocalProvider(settings, open_mailer(settings))
    try:
        accounts = _accounts(connection, {user["email"] for user in [*demo["members"], *_with_passwords(demo)]})
        new = {account.email or "": account.sub for account in accounts if provider.account(account.sub) is None}
        for email in new:
            of_another_demo = provider.account_of(email)
            if of_another_demo is not None:
                provider.delete(of_another_demo.sub)
        provider.add_accounts(accounts)
        without = [user for user in _with_passwords(demo) if "password" not in user]
        for user in without:
            user["password"] = secrets.token_urlsafe(15)
        subs = {account.email: account.sub for account in accounts}  # without users that were deleted since
        for user in _with_passwords(demo):
            if user["email"] in subs and (user in without or user["email"] in new):
                provider.set_password(subs[user["email"]], user["password"])
    finally:
        provider.close()
    return bool(without)


def _with_passwords(demo: dict[str, Any]) -> list[dict[str, Any]]:
    """The users who get passwords: an admin, a member of staff, a member."""
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
