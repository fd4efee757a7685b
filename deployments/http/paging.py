"""Pagination of lists: `?limit=&after=` in the query, `{items, next}` in the answer."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from deployments.http.problems import ApiProblem, Fault
from domain.paging import Page, PageRequest

D = TypeVar("D")
T = TypeVar("T")

LONGEST_PAGE = 200


class Listing(BaseModel, Generic[D]):
    """One page of a list. Send `next` as `after` to get the following page; it is null on the last page."""

    items: list[D]
    next: str | None = Field(description="Opaque. Send it as `after`.")


def listing(page: Page[T], document: Callable[[T], D]) -> Listing[D]:
    """Convert a page of domain objects to its response."""
    return Listing(items=[document(item) for item in page.items], next=page.next and write_cursor(page.next))


async def _page_query(
    limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE, description="Maximum number of items.")] = 50,
    after: Annotated[str | None, Query(max_length=64, description="`next` of the previous page.")] = None,
) -> PageRequest:
    return PageRequest(limit, read_cursor(after) if after else None)


PageQuery = Annotated[PageRequest, Depends(_page_query)]


def write_cursor(key: UUID) -> str:
    """Encode a key as an opaque cursor."""
    return urlsafe_b64encode(key.bytes).rstrip(b"=").decode()


def read_cursor(cursor: str) -> UUID:
    """Decode a cursor.

    Raises:
        ApiProblem: `invalid_request`: the cursor was not issued by this API.
    """
    try:
        return UUID(bytes=urlsafe_b64decode(cursor + "=="))
    except ValueError as error:
        fault = Fault("after", "must be a `next` of a previous page")
        raise ApiProblem("invalid_request", "The cursor is not valid.", faults=[fault]) from error
