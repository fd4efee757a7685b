"""The user of this machine's stack that a command acts as, and an access token for that user.

A command acts as a real user, so that the history of changes names who did what.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from cluster.cli.api.errors import NotFoundError
from cluster.cli.database import reading
from cluster.errors import CommandError
from domain.identity.email_addresses import normal_address_or_none
from domain.identity.model import Role, User, UserFilter, UserState
from domain.identity.ports import Account
from domain.identity.repository import UserRepository
from domain.paging import PageRequest
from integrations.local_identity.directory import LocalDirectory
from integrations.local_identity.keys import NoLocalIdentityError
from integrations.local_identity.tables import AccountsFile
from integrations.local_identity.tokens import mint_access_token
from integrations.settings import Settings

_LIFETIME = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class LocalUser:
    """A user of the stack, or an account that has not signed in yet."""

    id: UUID
    email: str | None
    roles: tuple[str, ...]


def access_token(settings: Settings, email: str) -> str:
    """A token for the user of an address or, where the address is empty, for the first admin of the stack.

    Raises:
        CommandError: there is no such user, or the stack has no local identity provider.
    """
    user = find_local_user(settings, email) if email else _first_admin(settings)
    try:
        return mint_access_token(settings, sub=user.id, email=user.email, groups=user.roles, lifetime=_LIFETIME)
    except NoLocalIdentityError as error:
        raise CommandError(str(error), "set FITMONITOR_TOKEN to an access token of an admin") from error


def find_local_user(settings: Settings, email: str) -> LocalUser:
    """The user of an address; else the confirmed account of the address, which has not signed in yet.

    Raises:
        NotFoundError: there is neither.
        CommandError: the text is not an email address.
    """
    address = normal_address_or_none(email)
    if address is None:
        raise CommandError(f"{email.strip()} is not an email address", "write it like mia@example.org")
    with reading(settings) as connection:
        user = UserRepository(connection).user_of(address)
    if user is not None:
        return _from_user(user)
    accounts = _accounts(settings)
    if accounts is not None:
        try:
            account = LocalDirectory(accounts).account_of(address)
        finally:
            accounts.close()
        if account is not None and account.confirmed:
            return _from_account(account)
    raise NotFoundError(f"no user of this stack has the address {address}", "see `fitmonitor user list`")


def _first_admin(settings: Settings) -> LocalUser:
    """The oldest active admin; on a new stack an admin's account that has not signed in yet."""
    admins = UserFilter(role=Role.ADMIN, state=UserState.ACTIVE)
    with reading(settings) as connection:
        users = UserRepository(connection).users(admins, PageRequest(1)).items
    if users:
        return _from_user(users[0])
    accounts = _accounts(settings)
    if accounts is not None:
        try:
            directory = LocalDirectory(accounts)
            members = directory.enabled_members_of(Role.ADMIN)
            account = directory.account(min(members)) if members else None
        finally:
            accounts.close()
        if account is not None:
            return _from_account(account)
    raise CommandError("this stack has no admin to act as", "create one with `fitmonitor admin create EMAIL`")


def _accounts(settings: Settings) -> AccountsFile | None:
    file = settings.identity.accounts_file
    return AccountsFile(file) if file is not None and file.exists() else None


def _from_user(user: User) -> LocalUser:
    return LocalUser(user.id, user.email, tuple(sorted(user.roles)))


def _from_account(account: Account) -> LocalUser:
    return LocalUser(account.sub, account.email, tuple(account.groups))
