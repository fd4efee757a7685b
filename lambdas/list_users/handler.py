"""Lists the users of the pool with their groups, page by page. For admins.

`GET ?limit=&after=` → `{"items": [{"id", "email", "name", "enabled", "confirmed", "created_at", "groups"}], "next"}`
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from aws_lambda_powertools import Logger

from domain.identity.ports import Directory, ProviderUnavailableError
from integrations.cognito.client import FUNCTION_TIME_LIMIT_S
from integrations.cognito.function_events import AccountItem, AccountItems
from integrations.time_limit import time_limit
from lambdas.admin_calls import INVALID_REQUEST, ProblemError, Response, admin_of, pool_directory, problem, response

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
logger = Logger(service="list_users")
_directory = lru_cache(maxsize=1)(pool_directory)  # kept while the function is warm


def handler(event: dict[str, Any], _context: object) -> Response:
    """Handle an event of API Gateway, or the same event of the Identity deployment."""
    with time_limit(FUNCTION_TIME_LIMIT_S):
        return handle(event, _directory())


def handle(event: Mapping[str, Any], directory: Directory) -> Response:
    """Handle the event with a directory."""
    try:
        admin_of(event, directory)
        query = event.get("queryStringParameters") or {}
        limit, after = _limit(query.get("limit")), query.get("after") or None
        try:
            page = directory.page(limit, after)
        except ValueError:
            raise ProblemError(INVALID_REQUEST, "`after` is not a `next` value of this list.") from None
    except (ProblemError, ProviderUnavailableError) as error:
        return problem(error, logger)
    return response(AccountItems([AccountItem.of(account) for account in page.items], page.next))


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    try:
        limit = int(text)
    except ValueError:
        limit = 0
    if not 1 <= limit <= MAX_LIMIT:
        raise ProblemError(INVALID_REQUEST, f"`limit` must be a number from 1 to {MAX_LIMIT}.")
    return limit
