"""As whom a command of this machine's stack asks: somebody real, whom the history of what was done can name."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from cluster.cli.api.errors import NotFoundError
from cluster.cli.database import reading
from cluster.errors import CommandError
from domain.identity.addresses import normal_address_or_none
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
class Actor:
    """Whoever asks."""

    id: UUID
    email: str | None
    roles: tuple[str, ...]


def token_for(settings: Settings, email: str) -> str:
    """A token of the user or account of an address, or, where that is empty, of an admin of this stack.

    Raises:
        CommandError: nobody is there to ask as, or there is no local provider.
    """
    actor = somebody(settings, email) if email else _an_admin(settings)
    try:
        return mint_access_token(settings, sub=actor.id, email=actor.email, groups=actor.roles, lifetime=_LIFETIME)
    except NoLocalIdentityError as error:
        raise CommandError(str(error), "set FITMONITOR_TOKEN to an access token of an admin") from error


def somebody(settings: Settings, email: str) -> Actor:
    """The user of an address; or the account, of somebody who has not signed in yet.

    Raises:
        CommandError: there is none.
    """
    address = normal_address_or_none(email)
    if address is None:
        raise CommandError(f"{email.strip()} is no mail address", "write it as in mia@example.org")
    with reading(settings) as connection:
        user = UserRepository(connection).user_of(address)
    if user is not None:
        return _of_user(user)
    accounts = _accounts(settings)
    if accounts is not None:
        try:
            account = LocalDirectory(accounts).account_of(address)
        finally:
            accounts.close()
        if account is not None and account.confirmed:
            return _of_account(account)
    raise NotFoundError(f"no user of this stack has the address {address}", "see `fitmonitor user list`")


def _an_admin(settings: Settings) -> Actor:
    """Whoever became an admin here first; in a new installation they may not have signed in yet."""
    wanted = UserFilter(role=Role.ADMIN, state=UserState.ACTIVE)
    with reading(settings) as connection:
        users = UserRepository(connection).users(wanted, PageRequest(1)).items
    if users:
        return _of_user(users[0])
    accounts = _accounts(settings)
    if accounts is not None:
        try:
            directory = LocalDirectory(accounts)
            members = directory.enabled_members_of(Role.ADMIN)
            account = directory.account(min(members)) if members else None
        finally:
            accounts.close()
        if account is not None:
            return _of_account(account)
    raise CommandError("this stack has no admin to do it as", "fitmonitor admin create EMAIL makes one")


def _accounts(settings: Settings) -> AccountsFile | None:
    file = settings.identity.accounts_file
    return AccountsFile(file) if file is not None and file.exists() else None


def _of_user(user: User) -> Actor:
    return Actor(user.id, user.email, tuple(sorted(user.roles)))


def _of_account(account: Account) -> Actor:
    return Actor(account.sub, account.email, tuple(account.groups))
