"""Lists as they are asked for and answered: `?limit=&after=` and `{items, next}`."""

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
    """A part of a list. `next` is what to give as `after` for the following part; null at the end."""

    items: list[D]
    next: str | None = Field(description="Opaque; goes into `after`.")


def listing(page: Page[T], document: Callable[[T], D]) -> Listing[D]:
    """A page as it is answered."""
    return Listing(items=[document(item) for item in page.items], next=page.next and write_cursor(page.next))


async def _asked(
    limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE, description="How many items at most.")] = 50,
    after: Annotated[str | None, Query(max_length=64, description="`next` of the part before.")] = None,
) -> PageRequest:
    return PageRequest(limit, read_cursor(after) if after else None)


Asked = Annotated[PageRequest, Depends(_asked)]


def write_cursor(key: UUID) -> str:
    """A key in a form that nobody takes for one."""
    return urlsafe_b64encode(key.bytes).rstrip(b"=").decode()


def read_cursor(cursor: str) -> UUID:
    """The key that a cursor stands for.

    Raises:
        ApiProblem: it was not made here.
    """
    try:
        return UUID(bytes=urlsafe_b64decode(cursor + "=="))
    except ValueError as error:
        raise ApiProblem(
            "invalid_request", "The list cannot be continued there.", faults=[Fault("after", "is not a `next`")]
        ) from error
