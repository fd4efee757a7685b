"""How full each gym is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from cluster.cli.database import reading
from domain.door.list_repository import ListRepository
from domain.gyms.model import Gym
from domain.gyms.repository import GymRepository
from domain.paging import PageRequest
from integrations.settings import Settings

_PAGE = 200


@dataclass(frozen=True, slots=True)
class GymInside:
    """A gym in operation, how many are inside, and how many may be."""

    id: UUID
    name: str
    inside: int
    capacity: int


def gyms_inside(settings: Settings) -> Sequence[GymInside]:
    """All gyms in operation.

    Raises:
        CommandError: the database is away.
    """
    with reading(settings) as connection:
        queries = ListRepository(connection)
        return [
            GymInside(gym.id, gym.name, counted.occupancy, counted.capacity)
            for gym in _gyms(connection)
            if (counted := queries.occupancy(gym.id)) is not None
        ]


def _gyms(connection: Connection) -> Iterator[Gym]:
    request: PageRequest | None = PageRequest(_PAGE)
    while request is not None:
        page = GymRepository(connection).gyms(request)
        yield from page.items
        request = PageRequest(_PAGE, page.next) if page.next else None
