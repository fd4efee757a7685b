"""Lists that are read a page at a time and stay right while rows arrive."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar
from uuid import UUID

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is asked for.

    Args:
        limit: how many items at most.
        after: the key of the last item already seen; rows are found by it, never counted, so
            that what arrives meanwhile neither repeats nor hides one.
    """

    limit: int = 50
    after: UUID | None = None

    @property
    def fetch(self) -> int:
        """How many rows to read: one more than wanted tells whether there are further ones."""
        return self.limit + 1


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list, and the key after which the next part begins; None at the end."""

    items: tuple[T, ...]
    next: UUID | None


def page(rows: Sequence[T], request: PageRequest, key: Callable[[T], UUID]) -> Page[T]:
    """Cut what was fetched to what was asked for."""
    items = tuple(rows[: request.limit])
    return Page(items, key(items[-1]) if len(rows) > request.limit else None)


def parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut what is there into parts of at most that size, so that no statement grows with it."""
    left = iter(items)
    while part := list(islice(left, size)):
        yield part
