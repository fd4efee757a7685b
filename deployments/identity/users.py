"""The service of users: their data, roles, and whether they may sign in."""

from typing import Any
from uuid import UUID

from deployments.identity.backend import IdentityBackend
from domain.clock import Clock
from domain.identity import personal_data_service, service
from domain.identity.email_addresses import usable_address
from domain.identity.model import IdentityRefusal, Role, User, UserChange, UserFilter
from domain.identity.ports import AccountPage, FunctionCaller, RoleAction
from domain.identity.repository import UserRepository
from domain.identity.service import LAST_ADMIN, UNKNOWN_USER
from domain.paging import Page, PageRequest
from domain.unit_of_work import Store


class UserService:
    """Users. A user exists here from the first sign-in on; before that there is only an account at the provider."""

    def __init__(self, store: Store, clock: Clock, backend: IdentityBackend) -> None:
        self._store = store
        self._clock = clock
        self._backend = backend
        self._provider = backend.provider

    def user(self, user_id: UUID) -> User | None:
        """A user; None for a deleted one."""
        with self._store.reading() as connection:
            user = UserRepository(connection).user(user_id)
        return user if user is not None and user.deleted_at is None else None

    def users(self, filters: UserFilter, request: PageRequest) -> Page[User]:
        """The users that match a filter."""
        with self._store.reading() as connection:
            return UserRepository(connection).users(filters, request)

    def history(self, user_id: UUID, request: PageRequest) -> Page[UserChange] | IdentityRefusal:
        """The changes of an account, newest first."""
        with self._store.reading() as connection:
            users = UserRepository(connection)
            return UNKNOWN_USER if users.user(user_id) is None else users.history(user_id, request)

    def rename(self, user_id: UUID, name: str, by_id: UUID) -> User | IdentityRefusal:
        """Change the name of a user, here and at the provider."""
        self._provider.rename(user_id, name)  # first, because the next token would bring the old name back
        return self._store.written(lambda connection: service.rename(connection, by_id, user_id, name, self._clock()))

    def export(self, user_id: UUID) -> dict[str, Any]:
        """All personal data of a user, as JSON values."""
        with self._store.reading() as connection:
            return personal_data_service.export_account(connection, user_id)

    def list_accounts(self, by: FunctionCaller, limit: int, after: str | None) -> AccountPage | IdentityRefusal:
        """All accounts of the provider, read by its function."""
        return self._backend.functions.list_users(by, limit, after)

    def change_role(self, by: FunctionCaller, user_id: UUID, role: Role, action: RoleAction) -> User | IdentityRefusal:
        """Add or remove a role by the provider's function. Takes effect everywhere within 5 s."""
        changed = self._backend.functions.change_role(by, user_id, role, action)
        if isinstance(changed, IdentityRefusal):
            return changed
        recorded = self._store.written(
            lambda connection: service.record_role(connection, by.sub, user_id, role, action, self._clock())
        )
        if isinstance(recorded, IdentityRefusal):
            # The user has never signed in: the first token brings the roles.
            return User(changed.sub, usable_address(changed.email), changed.name, None, None, changed.created_at)
        return recorded

    def set_enabled(self, by_id: UUID, user_id: UUID, enabled: bool) -> User | IdentityRefusal:  # noqa: FBT001 - crosses a handle
        """Disable an account, which ends its sessions, or enable it. The last admin cannot be disabled."""
        if self.user(user_id) is None:
            return UNKNOWN_USER
        if not enabled and self._is_last_admin(user_id):
            return LAST_ADMIN
        if enabled:
            self._provider.set_enabled(user_id, enabled=True)
        elif not self._disabled_with_an_admin_left(user_id):
            return LAST_ADMIN
        return self._store.written(
            lambda connection: service.set_enabled(connection, by_id, user_id, enabled=enabled, now=self._clock())
        )

    def begin_deleting(self, by_id: UUID, user_id: UUID) -> UUID | IdentityRefusal | None:
        """Mark an account as deleted: its passes stop at once. The last admin cannot be deleted.

        Returns:
            The gym of an open visit, which the door must end before `finish_deleting`.
        """
        if self._is_last_admin(user_id):
            return LAST_ADMIN
        account = self._backend.directory.account(user_id)
        is_admin = account is not None and account.enabled and Role.ADMIN in account.groups
        if is_admin and not self._disabled_with_an_admin_left(user_id):
            return LAST_ADMIN
        return self._store.written(
            lambda connection: personal_data_service.begin_deleting(connection, by_id, user_id, self._clock())
        )

    def finish_deleting(self, user_id: UUID) -> None:
        """Delete the account at the provider and the personal data here. Records that the law requires stay."""
        self._provider.delete(user_id)
        self._store.written(
            lambda connection: personal_data_service.finish_deleting(connection, user_id, self._clock())
        )

    def _disabled_with_an_admin_left(self, user_id: UUID) -> bool:
        """Disable an account, and undo that if no admin is left: two admins may disable each other at once."""
        self._provider.set_enabled(user_id, enabled=False)
        if self._backend.directory.enabled_members_of(Role.ADMIN):
            return True
        self._provider.set_enabled(user_id, enabled=True)
        return False

    def _is_last_admin(self, user_id: UUID) -> bool:
        return self._backend.directory.enabled_members_of(Role.ADMIN) == {user_id}
