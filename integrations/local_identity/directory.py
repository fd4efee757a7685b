"""The local provider's accounts as a directory."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from domain.identity.ports import Account, AccountPage
from integrations.local_identity.accounts import Accounts
from integrations.local_identity.tables import AccountsFile


class LocalDirectory:
    """See `domain.identity.ports.Directory`. A group exists once it has a member."""

    def __init__(self, file: AccountsFile) -> None:
        self._file = file

    def account(self, sub: UUID) -> Account | None:
        """See `Directory`."""
        with self._file.reading() as connection:
            return Accounts(connection).account(sub)

    def account_of(self, email: str) -> Account | None:
        """See `IdentityProvider`."""
        with self._file.reading() as connection:
            return Accounts(connection).account_of(email)

    def page(self, limit: int, after: str | None) -> AccountPage:
        """See `Directory`."""
        with self._file.reading() as connection:
            found = Accounts(connection).page(limit + 1, None if after is None else UUID(after))
        more = len(found) > limit
        return AccountPage(tuple(found[:limit]), str(found[limit - 1].sub) if more else None)

    def enabled_members_of(self, group: str) -> set[UUID]:
        """See `Directory`."""
        with self._file.reading() as connection:
            return Accounts(connection).enabled_members(group)

    def add_to_group(self, sub: UUID, group: str) -> None:
        """See `Directory`."""
        with self._file.writing() as connection:
            Accounts(connection).add_to_group(sub, group)

    def remove_from_group(self, sub: UUID, group: str) -> None:
        """See `Directory`."""
        with self._file.writing() as connection:
            Accounts(connection).remove_from_group(sub, group)

    def add_accounts(self, new: Sequence[Account]) -> None:
        """Import accounts without passwords; accounts with a known `sub` are left unchanged.

        Raises:
            ValueError: an address belongs to an account with another `sub`; nothing was imported.
        """
        try:
            with self._file.writing() as connection:
                accounts = Accounts(connection)
                existing = accounts.existing([account.sub for account in new])
                accounts.add([account for account in new if account.sub not in existing])
        except IntegrityError as error:
            raise ValueError("an address belongs to another account of the local identity provider") from error
