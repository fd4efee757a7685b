"""Pages of lists, by key, so that new rows neither repeat nor hide an item."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar
from uuid import UUID

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request for a page.

    Args:
        limit: maximum number of items.
        after: the key of the last item of the previous page; None: the first page.
    """

    limit: int = 50
    after: UUID | None = None

    @property
    def fetch(self) -> int:
        """The number of rows to read: one more than `limit`, to know whether there is a next page."""
        return self.limit + 1


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list. `next` is the `after` of the next page, None at the end."""

    items: tuple[T, ...]
    next: UUID | None


def page(rows: Sequence[T], request: PageRequest, key: Callable[[T], UUID]) -> Page[T]:
    """Make a page of the rows that were read."""
    items = tuple(rows[: request.limit])
    return Page(items, key(items[-1]) if len(rows) > request.limit else None)


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Split items into chunks of limited size, which keeps SQL statements short."""
    left = iter(items)
    while chunk := list(islice(left, size)):
        yield chunk
