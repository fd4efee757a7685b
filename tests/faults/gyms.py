"""Gyms for doors to stand at: written straight into the database of a running stack, beside whatever is there."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, func, insert, select

from domain.companies.tables import companies
from domain.gyms.gate_service import create_device, create_gate
from domain.gyms.model import GateDirections, GymRefusal
from domain.gyms.tables import gyms
from domain.identity.tables import users
from domain.ids import new_id
from domain.memberships.tables import memberships, plans

_HAVE_NO_MEMBERSHIP = 20  # one in so many


@dataclass(frozen=True, slots=True)
class Device:
    """A scanner at a gate of a gym."""

    id: UUID
    gym_id: UUID
    gate_id: UUID
    credential: str


@dataclass(frozen=True, slots=True)
class Gyms:
    """Devices, all of a gym's after one another, and the members who come to any of them."""

    ids: list[UUID]
    devices: list[Device]
    members: list[UUID]


def load(
    connection: Connection,
    now: datetime,
    *,
    number: int = 8,
    devices: int = 2,
    capacity: int = 25,
    members: int = 400,
) -> Gyms:
    """Write gyms with one gate each and members, of whom most have a membership for all of them."""
    company, plan = new_id(), new_id()
    connection.execute(insert(companies).values(id=company, name="Gyms under fire", created_at=now))
    taken = connection.execute(select(func.max(gyms.c.legacy_number))).scalar() or 0
    ids = [_gym(connection, company, taken + 1 + place, capacity, now) for place in range(number)]
    connection.execute(
        insert(plans).values(
            id=plan,
            company_id=company,
            name="30 days",
            days=30,
            price_amount=1000,
            price_currency="EUR",
            grace_days=3,
            covers_all_gyms=True,
            created_at=now,
        )
    )
    return Gyms(
        ids,
        [device for gym_id in ids for device in _devices(connection, gym_id, devices, now)],
        _members(connection, plan, members, now),
    )


def _gym(connection: Connection, company: UUID, number: int, capacity: int, now: datetime) -> UUID:
    gym_id = new_id()
    connection.execute(
        insert(gyms).values(
            id=gym_id,
            legacy_number=number,
            company_id=company,
            name=f"Gym {number}",
            address="Street",
            time_zone="Europe/Berlin",
            capacity=capacity,
            reentry_after_s=900,
            grace_after_closing_s=0,
            longest_visit_s=6 * 3600,
            version=1,
            created_at=now,
        )
    )
    return gym_id


def _devices(connection: Connection, gym_id: UUID, number: int, now: datetime) -> list[Device]:
    gate = create_gate(connection, gym_id, "Door", GateDirections.BOTH, now)
    assert not isinstance(gate, GymRefusal)
    made = []
    for place in range(number):
        new = create_device(connection, gate.id, f"Scanner {place}", now)
        assert not isinstance(new, GymRefusal)
        made.append(Device(new.device.id, gym_id, gate.id, new.credential))
    return made


def _members(connection: Connection, plan: UUID, number: int, now: datetime) -> list[UUID]:
    ids = [new_id() for _ in range(number)]
    connection.execute(
        insert(users), [{"id": id_, "email": f"{id_}@example.org", "name": "Mia", "created_at": now} for id_ in ids]
    )
    connection.execute(
        insert(memberships),
        [
            {
                "id": new_id(),
                "member_id": id_,
                "plan_id": plan,
                "starts_at": now - timedelta(days=1),
                "ends_at": now + timedelta(days=29),
                "created_at": now,
            }
            for place, id_ in enumerate(ids)
            if place % _HAVE_NO_MEMBERSHIP
        ],
    )
    return ids
