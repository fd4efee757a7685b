"""Adds a role to a user or removes it. For admins; the last admin keeps the role.

`POST {"user_id", "role": "User"|"Staff"|"Admin", "action": "add"|"remove"}` → the changed account
"""

from base64 import b64decode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from aws_lambda_powertools import Logger

from domain.identity.model import IdentityProblem, Role
from domain.identity.ports import Account, Directory, ProviderUnavailableError, RoleAction
from integrations.cognito.client import FUNCTION_TIME_LIMIT_S
from integrations.cognito.function_events import AccountItem
from integrations.time_limit import time_limit
from lambdas.admin_calls import INVALID_REQUEST, ProblemError, Response, admin_of, pool_directory, problem, response

logger = Logger(service="change_role")
_directory = lru_cache(maxsize=1)(pool_directory)  # kept while the function is warm
_LAST_ADMIN = ProblemError(
    IdentityProblem.LAST_ADMIN, "This is the last active admin. Make another user an admin first."
)


class RoleChange(msgspec.Struct, frozen=True):
    """The body of a request."""

    user_id: UUID
    role: Role
    action: RoleAction


def handler(event: dict[str, Any], _context: object) -> Response:
    """Handle an event of API Gateway, or the same event of the Identity deployment."""
    with time_limit(FUNCTION_TIME_LIMIT_S):
        return handle(event, _directory())


def handle(event: Mapping[str, Any], directory: Directory) -> Response:
    """Handle the event with a directory."""
    try:
        caller = admin_of(event, directory)
        change = _parse(event)
        changed = _change_role(change, directory)
    except (ProblemError, ProviderUnavailableError) as error:
        return problem(error, logger)
    logger.info(
        "role_changed",
        extra={"by": str(caller.sub), "user": str(change.user_id), "role": change.role, "action": change.action},
    )
    return response(AccountItem.of(changed))


def _change_role(change: RoleChange, directory: Directory) -> Account:
    account = directory.account(change.user_id)
    if account is None:
        raise ProblemError(IdentityProblem.UNKNOWN_USER, "There is no such user.")
    if change.action is RoleAction.ADD:
        directory.add_to_group(change.user_id, change.role)
    elif change.role is Role.ADMIN:
        _remove_admin(change.user_id, account, directory)
    else:
        directory.remove_from_group(change.user_id, change.role)
    return directory.account(change.user_id) or account


def _remove_admin(user_id: UUID, account: Account, directory: Directory) -> None:
    if Role.ADMIN not in account.groups:
        return
    if not directory.enabled_members_of(Role.ADMIN) - {user_id}:
        raise _LAST_ADMIN
    directory.remove_from_group(user_id, Role.ADMIN)
    # A pool has no locks: two admins who remove each other's role at once each see the other one. Both check again.
    if not directory.enabled_members_of(Role.ADMIN):
        directory.add_to_group(user_id, Role.ADMIN)
        raise _LAST_ADMIN


def _parse(event: Mapping[str, Any]) -> RoleChange:
    body = event.get("body") or ""
    try:
        decoded = b64decode(body) if event.get("isBase64Encoded") else body
        return msgspec.json.decode(decoded, type=RoleChange)
    except msgspec.ValidationError as error:
        raise ProblemError(INVALID_REQUEST, str(error)) from error
    except (msgspec.DecodeError, ValueError, TypeError) as error:
        raise ProblemError(INVALID_REQUEST, "The body is not JSON.") from error
