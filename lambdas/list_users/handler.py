"""Lists the users of the pool with their groups, a part at a time. For admins.

`GET ?limit=&after=` → `{"items": [{"id", "email", "name", "enabled", "confirmed", "created_at", "groups"}], "next"}`
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from aws_lambda_powertools import Logger

from domain.identity.ports import Directory, ProviderAwayError
from integrations.cognito.client import FUNCTION_TIME_LIMIT_S
from integrations.cognito.function_events import AccountItem, AccountItems
from integrations.time_limit import time_limit
from lambdas.admin_calls import INVALID_REQUEST, Answer, AnsweredError, admin_of, answer, pool_directory, problem

USUAL, MOST = 100, 1000
logger = Logger(service="list_users")
_directory = lru_cache(maxsize=1)(pool_directory)  # kept while the function is warm


def handler(event: dict[str, Any], _context: object) -> Answer:
    """Called by API Gateway, or by the Identity deployment with the same event."""
    with time_limit(FUNCTION_TIME_LIMIT_S):
        return handle(event, _directory())


def handle(event: Mapping[str, Any], directory: Directory) -> Answer:
    """The answer from one directory."""
    try:
        admin_of(event, directory)
        query = event.get("queryStringParameters") or {}
        limit, after = _limit(query.get("limit")), query.get("after") or None
        try:
            page = directory.page(limit, after)
        except ValueError:
            raise AnsweredError(INVALID_REQUEST, "`after` is not a `next` of this list.") from None
    except (AnsweredError, ProviderAwayError) as error:
        return problem(error, logger)
    return answer(AccountItems([AccountItem.of(account) for account in page.items], page.next))


def _limit(asked: str | None) -> int:
    if asked is None:
        return USUAL
    try:
        limit = int(asked)
    except ValueError:
        limit = 0
    if not 1 <= limit <= MOST:
        raise AnsweredError(INVALID_REQUEST, f"`limit` is a number from 1 to {MOST}.")
    return limit
