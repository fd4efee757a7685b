"""All accounts of a user pool and their groups."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from botocore.exceptions import ClientError

from domain.identity.model import Role
from domain.identity.ports import Account, AccountPage, ProviderUnavailableError
from integrations.cognito.client import (
    IDENTITY_POLICY,
    INVALID,
    UNKNOWN_USER,
    RetryPolicy,
    account_from,
    error_code,
    error_message,
    ignore_errors,
    open_client,
    translate_errors,
)

_PAGE_SIZE = 60  # Cognito's maximum
_NOT_FOUND = "ResourceNotFoundException"  # a group, or the whole pool
_INVALID_TOKEN = (INVALID, "InvalidToken")  # the second is moto's


class CognitoDirectory:
    """See `domain.identity.ports.Directory`. Only groups with the name of a role count.

    Args:
        pool_id, region, endpoint_url: the user pool.
        policy: timeouts and retries.
        client: replaces the own client.
    """

    def __init__(
        self,
        pool_id: str,
        *,
        region: str = "",
        endpoint_url: str = "",
        policy: RetryPolicy = IDENTITY_POLICY,
        client: Any = None,  # noqa: ANN401 - boto3 has no types
    ) -> None:
        self._pool_id = pool_id
        self._client = client or open_client("cognito-idp", region, endpoint_url, policy)

    def page(self, limit: int, after: str | None) -> AccountPage:
        """See `Directory`.

        Cognito lists users without their groups. One call per user would be too expensive, so the members of each group
        (60 per call) are read once per page and joined with it.
        """
        users, next_token = self._users(limit, after)
        groups: dict[str, list[str]] = {}
        for role in Role:
            for user in self._members(role.value) if users else ():
                groups.setdefault(user["Username"], []).append(role.value)
        items = tuple(account_from(user, tuple(groups.get(user["Username"], ()))) for user in users)
        return AccountPage(items, next_token)

    def account(self, sub: UUID) -> Account | None:
        """See `Directory`."""
        try:
            with translate_errors(UNKNOWN_USER):
                user = self._client.admin_get_user(UserPoolId=self._pool_id, Username=str(sub))
                listed = self._client.admin_list_groups_for_user(UserPoolId=self._pool_id, Username=str(sub))
        except ClientError:
            return None
        return account_from(user, tuple(group["GroupName"] for group in listed["Groups"]))

    def enabled_members_of(self, group: str) -> set[UUID]:
        """See `Directory`."""
        return {account_from(user).sub for user in self._members(group) if user["Enabled"]}

    def add_to_group(self, sub: UUID, group: str) -> None:
        """See `Directory`."""
        membership = {"UserPoolId": self._pool_id, "Username": str(sub), "GroupName": group}
        try:
            with translate_errors(UNKNOWN_USER, _NOT_FOUND):
                self._client.admin_add_user_to_group(**membership)
        except ClientError as error:
            _check_pool_exists(error)
            if error_code(error) == UNKNOWN_USER:
                return
            new_group = {"UserPoolId": self._pool_id, "GroupName": group}
            ignore_errors(lambda: self._client.create_group(**new_group), "GroupExistsException")
            ignore_errors(lambda: self._client.admin_add_user_to_group(**membership), UNKNOWN_USER)

    def remove_from_group(self, sub: UUID, group: str) -> None:
        """See `Directory`."""
        membership = {"UserPoolId": self._pool_id, "Username": str(sub), "GroupName": group}
        try:
            with translate_errors(UNKNOWN_USER, _NOT_FOUND):
                self._client.admin_remove_user_from_group(**membership)
        except ClientError as error:
            _check_pool_exists(error)

    def _users(self, limit: int, after: str | None) -> tuple[list[dict[str, Any]], str | None]:
        users: list[dict[str, Any]] = []
        token = after
        while len(users) < limit:
            request: dict[str, Any] = {"UserPoolId": self._pool_id, "Limit": min(_PAGE_SIZE, limit - len(users))}
            if token:
                request["PaginationToken"] = token
            try:
                # Only the caller's token can be invalid. The following ones are Cognito's own.
                with translate_errors(*_INVALID_TOKEN if token and token == after else ()):
                    answer = self._client.list_users(**request)
            except ClientError as error:
                raise ValueError("the list cannot be continued: invalid token") from error
            users += answer["Users"]
            token = answer.get("PaginationToken")
            if not token:
                break
        return users, token or None

    def _members(self, group: str) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            request: dict[str, Any] = {"UserPoolId": self._pool_id, "GroupName": group, "Limit": _PAGE_SIZE}
            if token:
                request["NextToken"] = token
            try:
                with translate_errors(_NOT_FOUND):
                    answer = self._client.list_users_in_group(**request)
            except ClientError as error:
                _check_pool_exists(error)
                return
            yield from answer["Users"]
            token = answer.get("NextToken")
            if not token:
                return


def _check_pool_exists(error: ClientError) -> None:
    """Cognito uses the same error name for a missing group and a missing pool.

    Raises:
        ProviderUnavailableError: the pool is missing, so "the group is empty" would be wrong.
    """
    if error_code(error) == _NOT_FOUND and "pool" in error_message(error).lower():
        raise ProviderUnavailableError("Service unavailable: Cognito has no such user pool") from error
