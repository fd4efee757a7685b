"""Gyms in the database."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from domain.door.tables import head_counts, open_visits, scans, visits
from domain.gyms.model import Gym
from domain.gyms.tables import gate_devices, gates, gyms
from domain.machines.tables import machines
from domain.memberships.tables import plan_gyms
from domain.paging import Page, PageRequest, page

_GYM = (
    *(gyms.c.name, gyms.c.address, gyms.c.time_zone, gyms.c.capacity, gyms.c.reentry_after_s),
    *(gyms.c.grace_after_closing_s, gyms.c.longest_visit_s, gyms.c.longest_use_s),
    *(gyms.c.id, gyms.c.legacy_number, gyms.c.version, gyms.c.retired_at),
)
_REFERRING = {
    "scans": scans.c.gym_id,
    "visits": visits.c.gym_id,
    "machines": machines.c.gym_id,
    "plans": plan_gyms.c.gym_id,
    "head counts": head_counts.c.gym_id,
}


class GymRepository:
    """Reads and writes gyms in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def gyms(self, request: PageRequest, *, retired: bool = False) -> Page[Gym]:
        """The gyms in operation, or the retired ones, in the order of their creation."""
        is_shown = gyms.c.retired_at.is_not(None) if retired else gyms.c.retired_at.is_(None)
        query = select(*_GYM).where(is_shown).order_by(gyms.c.id).limit(request.fetch)
        if request.after:
            query = query.where(gyms.c.id > request.after)
        rows = [_gym(row) for row in self._connection.execute(query)]
        return page(rows, request, lambda gym: gym.id)

    def gym(self, gym_id: UUID, *, retired: bool = False) -> Gym | None:
        """A gym in operation; with `retired` also one that is not."""
        query = select(*_GYM).where(gyms.c.id == gym_id)
        if not retired:
            query = query.where(gyms.c.retired_at.is_(None))
        row = self._connection.execute(query).one_or_none()
        return _gym(row) if row else None

    def of_number(self, number: int) -> Gym | None:
        """The gym in operation with this legacy number."""
        query = select(*_GYM).where(gyms.c.legacy_number == number, gyms.c.retired_at.is_(None))
        row = self._connection.execute(query).one_or_none()
        return _gym(row) if row else None

    def time_zone(self, gym_id: UUID) -> str | None:
        """The time zone of a gym, retired or not."""
        return self._connection.execute(select(gyms.c.time_zone).where(gyms.c.id == gym_id)).scalar_one_or_none()

    def locked(self, gym_id: UUID, *, retired: bool = False) -> Gym | None:
        """A gym in operation, locked until the unit of work ends; with `retired` also one that is not."""
        row = self._connection.execute(select(*_GYM).where(gyms.c.id == gym_id).with_for_update()).one_or_none()
        gym = _gym(row) if row else None
        return None if gym is not None and gym.retired_at is not None and not retired else gym

    def next_number(self) -> int:
        """The next free legacy number. Two transactions that create the first gym at once collide in it."""
        last: int | None = self._connection.execute(select(func.max(gyms.c.legacy_number))).scalar_one()
        return (last or 0) + 1

    def add(self, gym: Gym, company_id: UUID, now: datetime) -> None:
        """Insert a gym.

        Raises:
            sqlalchemy.exc.IntegrityError: its number was taken meanwhile.
        """
        self._connection.execute(
            insert(gyms).values(
                id=gym.id,
                legacy_number=gym.legacy_number,
                company_id=company_id,
                version=gym.version,
                created_at=now,
                **asdict(gym.details),
            )
        )

    def change(self, gym: Gym) -> None:
        """Update a gym."""
        self._connection.execute(
            update(gyms)
            .where(gyms.c.id == gym.id)
            .values(version=gym.version, retired_at=gym.retired_at, **asdict(gym.details))
        )

    def referring(self, gym_id: UUID) -> list[str]:
        """The kinds of records that refer to a gym."""
        return [
            what
            for what, column in _REFERRING.items()
            if self._connection.execute(select(column).where(column == gym_id).limit(1)).first()
        ]

    def inside(self, gym_id: UUID) -> int:
        """The number of open visits at a gym."""
        query = select(func.count()).select_from(open_visits).where(open_visits.c.gym_id == gym_id)
        return self._connection.execute(query).scalar_one()

    def remove(self, gym_id: UUID) -> None:
        """Delete a gym with its hours, gates and devices; nothing else may refer to it."""
        own = select(gates.c.id).where(gates.c.gym_id == gym_id)
        self._connection.execute(delete(gate_devices).where(gate_devices.c.gate_id.in_(own)))
        self._connection.execute(delete(gates).where(gates.c.gym_id == gym_id))
        self._connection.execute(delete(gyms).where(gyms.c.id == gym_id))


def _gym(row: Row[*tuple[Any, ...]]) -> Gym:
    """A gym of its columns."""
    return Gym(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
