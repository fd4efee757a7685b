"""All accounts of a user pool and their groups."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from botocore.exceptions import ClientError

from domain.identity.model import Role
from domain.identity.ports import Account, AccountPage, ProviderAwayError
from integrations.cognito.client import (
    IDENTITY_POLICY,
    INVALID,
    UNKNOWN_USER,
    RetryPolicy,
    account_from,
    error_code,
    error_message,
    ignoring,
    open_client,
    plainly,
)

_A_PAGE = 60  # the most that Cognito gives at once
_MISSING = "ResourceNotFoundException"  # a group, or the whole pool
_NO_TOKEN = (INVALID, "InvalidToken")  # the second is what moto says


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
            with plainly(UNKNOWN_USER):
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
        asked = {"UserPoolId": self._pool_id, "Username": str(sub), "GroupName": group}
        try:
            with plainly(UNKNOWN_USER, _MISSING):
                self._client.admin_add_user_to_group(**asked)
        except ClientError as error:
            _needs_pool(error)
            if error_code(error) == UNKNOWN_USER:
                return
            made = {"UserPoolId": self._pool_id, "GroupName": group}
            ignoring(lambda: self._client.create_group(**made), "GroupExistsException")
            ignoring(lambda: self._client.admin_add_user_to_group(**asked), UNKNOWN_USER)

    def remove_from_group(self, sub: UUID, group: str) -> None:
        """See `Directory`."""
        asked = {"UserPoolId": self._pool_id, "Username": str(sub), "GroupName": group}
        try:
            with plainly(UNKNOWN_USER, _MISSING):
                self._client.admin_remove_user_from_group(**asked)
        except ClientError as error:
            _needs_pool(error)

    def _users(self, limit: int, after: str | None) -> tuple[list[dict[str, Any]], str | None]:
        users: list[dict[str, Any]] = []
        token = after
        while len(users) < limit:
            asked: dict[str, Any] = {"UserPoolId": self._pool_id, "Limit": min(_A_PAGE, limit - len(users))}
            if token:
                asked["PaginationToken"] = token
            try:
                # A token of Cognito's own, further on, is not refused for its form.
                with plainly(*_NO_TOKEN if token and token == after else ()):
                    answer = self._client.list_users(**asked)
            except ClientError as error:
                raise ValueError("the list cannot be continued there") from error
            users += answer["Users"]
            token = answer.get("PaginationToken")
            if not token:
                break
        return users, token or None

    def _members(self, group: str) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            asked: dict[str, Any] = {"UserPoolId": self._pool_id, "GroupName": group, "Limit": _A_PAGE}
            if token:
                asked["NextToken"] = token
            try:
                with plainly(_MISSING):
                    answer = self._client.list_users_in_group(**asked)
            except ClientError as error:
                _needs_pool(error)
                return
            yield from answer["Users"]
            token = answer.get("NextToken")
            if not token:
                return


def _needs_pool(error: ClientError) -> None:
    """Cognito uses the same error name for a missing group and a missing pool.

    Raises:
        ProviderAwayError: the pool is missing, so "the group is empty" would be wrong.
    """
    if error_code(error) == _MISSING and "pool" in error_message(error).lower():
        raise ProviderAwayError("Cognito has no such user pool") from error
