"""The gyms themselves in the database: made, changed, retired, removed."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from domain.companies.tables import companies
from domain.door.tables import head_counts, open_visits, scans, visits
from domain.gyms.model import Gym
from domain.gyms.tables import gate_devices, gates, gyms
from domain.ids import new_id
from domain.machines.tables import machines
from domain.memberships.tables import plan_gyms, plans

GYM_COLUMNS = (
    *(gyms.c.name, gyms.c.address, gyms.c.time_zone, gyms.c.capacity, gyms.c.reentry_after_s),
    *(gyms.c.grace_after_closing_s, gyms.c.longest_visit_s, gyms.c.longest_use_s),
    *(gyms.c.id, gyms.c.legacy_number, gyms.c.version, gyms.c.retired_at),
)
_COMPANY = "FIT Monitor"  # until somebody names it (PATCH /company): it is the seller on invoices
_USUAL_PLANS = ((30, 1000), (90, 2500), (180, 4500), (365, 8000))  # days, EUR cents; admins change them
_REFERRING = {
    "scans": scans.c.gym_id,
    "visits": visits.c.gym_id,
    "machines": machines.c.gym_id,
    "plans": plan_gyms.c.gym_id,
    "head counts": head_counts.c.gym_id,
}


def gym_of(row: Row[*tuple[Any, ...]]) -> Gym:
    """A gym of its columns."""
    return Gym(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it


class GymRegistry:
    """Questions and changes within one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def locked(self, gym_id: UUID) -> Gym | None:
        """A gym, retired or not, held until the unit of work ends."""
        row = self._connection.execute(select(*GYM_COLUMNS).where(gyms.c.id == gym_id).with_for_update()).one_or_none()
        return gym_of(row) if row else None

    def locked_company(self, now: datetime) -> UUID:
        """The company that gyms are of, held until the unit of work ends. Where there is none it is made."""
        found: UUID | None = self._connection.execute(
            select(companies.c.id).order_by(companies.c.id).limit(1).with_for_update()
        ).scalar_one_or_none()
        if found is not None:
            return found
        company_id = new_id()
        self._connection.execute(insert(companies).values(id=company_id, name=_COMPANY, created_at=now))
        usual = [
            {
                "id": new_id(),
                "company_id": company_id,
                "name": f"{days} days",
                "days": days,
                "price_amount": price,
                "price_currency": "EUR",
                "grace_days": 3,
                "covers_all_gyms": True,
                "created_at": now,
            }
            for days, price in _USUAL_PLANS
        ]
        self._connection.execute(insert(plans), usual)
        return company_id

    def next_number(self) -> int:
        """The small running number of the next gym. Two that make the first gym at once collide in it: one waits."""
        last: int | None = self._connection.execute(select(func.max(gyms.c.legacy_number))).scalar_one()
        return (last or 0) + 1

    def add(self, gym: Gym, company_id: UUID, now: datetime) -> None:
        """Keep a new gym.

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
        """Keep a gym as it is now."""
        self._connection.execute(
            update(gyms)
            .where(gyms.c.id == gym.id)
            .values(version=gym.version, retired_at=gym.retired_at, **asdict(gym.details))
        )

    def referring(self, gym_id: UUID) -> list[str]:
        """What there is that names a gym, and would name nothing without it."""
        return [
            what
            for what, column in _REFERRING.items()
            if self._connection.execute(select(column).where(column == gym_id).limit(1)).first()
        ]

    def inside(self, gym_id: UUID) -> int:
        """How many are inside a gym."""
        query = select(func.count()).select_from(open_visits).where(open_visits.c.gym_id == gym_id)
        return self._connection.execute(query).scalar_one()

    def remove(self, gym_id: UUID) -> None:
        """Remove a gym with its hours, gates and devices; nothing else refers to it."""
        own = select(gates.c.id).where(gates.c.gym_id == gym_id)
        self._connection.execute(delete(gate_devices).where(gate_devices.c.gate_id.in_(own)))
        self._connection.execute(delete(gates).where(gates.c.gym_id == gym_id))
        self._connection.execute(delete(gyms).where(gyms.c.id == gym_id))
