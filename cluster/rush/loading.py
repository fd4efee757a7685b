"""Sets up the gyms of a rush and their devices in the store; a later rush finds the gyms again by their company.

Whatever else is in the store is left alone.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, insert, select, update

from cluster.bench.world import Kind
from cluster.rush.membership import members_of_rush
from cluster.rush.people import GATES_A_GYM
from cluster.rush.world import RushGate, RushGym, RushMember, RushWorld
from domain.companies.repository import CompanyRepository
from domain.companies.tables import companies
from domain.door.tables import open_visits
from domain.gyms.gate_repository import GateRepository
from domain.gyms.gate_service import create_device, create_gate
from domain.gyms.model import GymRefusal, Serves
from domain.gyms.tables import gate_devices, gates, gyms
from domain.identity.tables import users
from domain.ids import new_id
from domain.memberships.plan_repository import PlanRepository
from domain.memberships.plans import Plan, PlanDetails
from domain.memberships.tables import plans
from domain.money import Money
from domain.unit_of_work import Store

COMPANY = "FIT Monitor rush"
DEVICES_A_GATE = 4  # each may ask 50 times a second
_LONGEST_VISIT_S = 24 * 3600


def set_up(
    store: Store, capacities: Sequence[int], number_of_members: int, now: datetime, told: Callable[[str], None]
) -> RushWorld:
    """The gyms with new devices, and the members; made where they are not there yet.

    Entering while inside is always refused at these gyms, however fast the simulated time runs.

    Args:
        capacities: of each gym.
        told: hears how far it is.
    """
    told("gyms and devices")
    plan = store.written(lambda connection: _company(connection, now))
    own_gyms = store.written(lambda connection: _gyms(connection, plan.company_id, capacities, now))
    members = members_of_rush(store, plan, number_of_members, now, told)
    with store.reading() as connection:
        return RushWorld(own_gyms, members, _left_inside(connection, [gym.id for gym in own_gyms]))


def withdraw_devices(store: Store, now: datetime) -> None:
    """Take back every credential that a rush was given: nobody scans at its gates until the next one."""
    store.written(lambda connection: _withdraw(connection, now))


def _withdraw(connection: Connection, now: datetime) -> None:
    own = (
        select(gate_devices.c.id)
        .join(gates, gates.c.id == gate_devices.c.gate_id)
        .join(gyms, gyms.c.id == gates.c.gym_id)
        .join(companies, companies.c.id == gyms.c.company_id)
        .where(companies.c.name == COMPANY, gate_devices.c.revoked_at.is_(None))
    )
    ids = connection.execute(own).scalars().all()
    connection.execute(update(gate_devices).where(gate_devices.c.id.in_(ids)).values(revoked_at=now))


def _company(connection: Connection, now: datetime) -> Plan:
    """A company of its own, and its plan, which is not for sale."""
    CompanyRepository(connection).lock_or_create(now)  # the one that others' gyms are of comes first
    repository = PlanRepository(connection)
    query = select(plans.c.id).join(companies, companies.c.id == plans.c.company_id).where(companies.c.name == COMPANY)
    found = connection.execute(query).scalars().first()
    plan = repository.plan(found) if found is not None else None
    if plan is None:
        plan = Plan(new_id(), new_id(), PlanDetails("Rush", 30, Money(1000, "EUR")), retired_at=now)
        connection.execute(insert(companies).values(id=plan.company_id, name=COMPANY, created_at=now))
        repository.add(plan, now)
    return plan


def _gyms(connection: Connection, company_id: UUID, capacities: Sequence[int], now: datetime) -> tuple[RushGym, ...]:
    _withdraw(connection, now)  # of a rush that was killed
    query = select(gyms.c.id).where(gyms.c.company_id == company_id).order_by(gyms.c.legacy_number)
    known: list[UUID] = list(connection.execute(query).scalars())
    made = []
    for place, capacity in enumerate(capacities):
        settings = {
            "capacity": capacity,
            "reentry_after_s": None,
            "longest_visit_s": _LONGEST_VISIT_S,
            "retired_at": None,
        }
        if place < len(known):
            gym_id = known[place]
            changed = {**settings, "version": gyms.c.version + 1}
            connection.execute(update(gyms).where(gyms.c.id == gym_id).values(**changed))
        else:
            gym_id = _new_gym(connection, company_id, place, settings, now)
        made.append(RushGym(gym_id, _name(place), capacity, _gates(connection, place, gym_id, now)))
    return tuple(made)


def _new_gym(connection: Connection, company_id: UUID, place: int, settings: dict[str, Any], now: datetime) -> UUID:
    gym_id = new_id()
    number = (connection.execute(select(func.max(gyms.c.legacy_number))).scalar() or 0) + 1
    connection.execute(
        insert(gyms).values(
            id=gym_id,
            legacy_number=number,
            company_id=company_id,
            name=_name(place),
            address="Nowhere 1",
            time_zone="Europe/Berlin",
            grace_after_closing_s=0,
            version=1,
            created_at=now,
            **settings,
        )
    )
    return gym_id


def _gates(connection: Connection, gym: int, gym_id: UUID, now: datetime) -> tuple[RushGate, ...]:
    found = {gate.name: gate for gate in GateRepository(connection).gates_of(gym_id)}
    made = []
    for place in range(GATES_A_GYM):
        name = f"Gate {place + 1}"
        gate = found.get(name) or create_gate(connection, gym_id, name, Serves.BOTH, now)
        if isinstance(gate, GymRefusal):
            raise TypeError(gate.detail)
        devices = [_device(connection, gate.id, number, now) for number in range(1, DEVICES_A_GATE + 1)]
        made.append(RushGate(gate.id, name, gym, gym_id, tuple(devices)))
    return tuple(made)


def _device(connection: Connection, gate_id: UUID, number: int, now: datetime) -> tuple[UUID, str]:
    made = create_device(connection, gate_id, f"Rush scanner {number}", now)
    if isinstance(made, GymRefusal):
        raise TypeError(made.detail)
    return made.device.id, made.credential


def _left_inside(connection: Connection, gym_ids: Sequence[UUID]) -> tuple[tuple[RushMember, UUID], ...]:
    query = (
        select(users.c.id, users.c.name, open_visits.c.gym_id)
        .join(open_visits, open_visits.c.member_id == users.c.id)
        .where(open_visits.c.gym_id.in_(gym_ids))
        .order_by(open_visits.c.visit_id)
    )
    return tuple((RushMember(row.id, row.name, Kind.ADMITTED), row.gym_id) for row in connection.execute(query).all())


def _name(place: int) -> str:
    return f"Rush gym {place + 1}"
