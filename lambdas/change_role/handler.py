"""Gives a role to a user or takes it. For admins; never the last admin's.

`POST {"user_id", "role": "User"|"Staff"|"Admin", "action": "add"|"remove"}` → the account as it is then
"""

from base64 import b64decode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from aws_lambda_powertools import Logger

from domain.identity.model import IdentityProblem, Role
from domain.identity.ports import Account, Directory, ProviderAwayError, RoleAction
from integrations.cognito.client import FUNCTION_TIME_LIMIT_S
from integrations.cognito.function_events import AccountItem
from integrations.time_limit import time_limit
from lambdas.admin_calls import INVALID_REQUEST, Answer, AnsweredError, admin_of, answer, pool_directory, problem

logger = Logger(service="change_role")
_directory = lru_cache(maxsize=1)(pool_directory)  # kept while the function is warm
_LAST_ADMIN = AnsweredError(
    IdentityProblem.LAST_ADMIN, "This is the last admin who is not disabled. Make somebody else an admin first."
)


class Wish(msgspec.Struct, frozen=True):
    """What is to be changed."""

    user_id: UUID
    role: Role
    action: RoleAction


def handler(event: dict[str, Any], _context: object) -> Answer:
    """Called by API Gateway, or by the Identity deployment with the same event."""
    with time_limit(FUNCTION_TIME_LIMIT_S):
        return handle(event, _directory())


def handle(event: Mapping[str, Any], directory: Directory) -> Answer:
    """Change one directory."""
    try:
        caller = admin_of(event, directory)
        wish = _wish(event)
        changed = _change(wish, directory)
    except (AnsweredError, ProviderAwayError) as error:
        return problem(error, logger)
    logger.info(
        "role_changed",
        extra={"by": str(caller.sub), "user": str(wish.user_id), "role": wish.role, "action": wish.action},
    )
    return answer(AccountItem.of(changed))


def _change(wish: Wish, directory: Directory) -> Account:
    account = directory.account(wish.user_id)
    if account is None:
        raise AnsweredError(IdentityProblem.UNKNOWN_USER, "There is no such user.")
    if wish.action is RoleAction.ADD:
        directory.add_to_group(wish.user_id, wish.role)
    elif wish.role is Role.ADMIN:
        _take_admin(wish.user_id, account, directory)
    else:
        directory.remove_from_group(wish.user_id, wish.role)
    return directory.account(wish.user_id) or account


def _take_admin(user_id: UUID, account: Account, directory: Directory) -> None:
    if Role.ADMIN not in account.groups:
        return
    if not directory.enabled_members_of(Role.ADMIN) - {user_id}:
        raise _LAST_ADMIN
    directory.remove_from_group(user_id, Role.ADMIN)
    # A pool has no locks: two admins who take each other's role at once both saw the other one. Each looks again.
    if not directory.enabled_members_of(Role.ADMIN):
        directory.add_to_group(user_id, Role.ADMIN)
        raise _LAST_ADMIN


def _wish(event: Mapping[str, Any]) -> Wish:
    body = event.get("body") or ""
    try:
        sent = b64decode(body) if event.get("isBase64Encoded") else body
        return msgspec.json.decode(sent, type=Wish)
    except msgspec.ValidationError as error:
        raise AnsweredError(INVALID_REQUEST, str(error)) from error
    except (msgspec.DecodeError, ValueError, TypeError) as error:
        raise AnsweredError(INVALID_REQUEST, "The body is not JSON.") from error
