"""Writes gyms, devices and members for a load into the store, beside whatever is there already.

A world with a `run` is new each time. One without is found again by its names: gyms and members stay, devices are new.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import zip_longest
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, func, insert, select, update

from cluster.load.world import Device, Gate, Gym, Member, MemberKind, Shares, World, kind_at
from domain.companies.repository import CompanyRepository
from domain.companies.tables import companies
from domain.door.tables import open_visits, visits
from domain.gyms.gate_repository import GateRepository
from domain.gyms.gate_service import create_device, create_gate
from domain.gyms.model import GateDirections, GymDetails, GymRefusal
from domain.gyms.model import Gym as StoredGym
from domain.gyms.repository import GymRepository
from domain.gyms.tables import gate_devices, gates, gyms
from domain.identity.tables import user_roles, users
from domain.ids import new_id
from domain.memberships.booked_membership import projection
from domain.memberships.days import day_of
from domain.memberships.ledger import Draft, EntryKind, balance_of
from domain.memberships.periods import Period
from domain.memberships.plan_repository import PlanRepository
from domain.memberships.plans import Plan, PlanDetails
from domain.memberships.tables import ledger_entries, memberships, plans
from domain.money import Money
from domain.unit_of_work import Store

GATES_PER_GYM = 2
# Days from today. Long, because a later run expects to find the members as they were.
ACTIVE_DAYS, ENDED_DAYS = (-20, 3650), (-60, -30)
_MEMBERS_AT_ONCE = 500  # in one transaction: the doors write to the same store
_ROWS_AT_ONCE = 1000
_LONGEST_VISIT_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """What to seed.

    Args:
        label: begins every name, as in "Rush gym 1".
        run: distinguishes this world from others of the same label; empty: later runs use the world again.
        capacities: one gym for each.
        members: how many.
        shares: which of the members a door refuses.
        devices_per_gate: each device may send 50 scans a second.
    """

    label: str
    capacities: Sequence[int]
    members: int
    devices_per_gate: int
    shares: Shares = field(default_factory=dict)
    run: str = ""

    @property
    def company(self) -> str:
        """The name of the company that owns the gyms."""
        return company_name(self.label, self.run)

    def email(self, place: int) -> str:
        """The address of the member at a place, counted from 0."""
        return "-".join(filter(None, (self.label.lower(), self.run, f"{place + 1:06}"))) + self._domain

    def member_name(self, place: int) -> str:
        """The name of the member at a place."""
        return f"{self.label} {place + 1:04}"

    @property
    def _domain(self) -> str:
        return f"@{self.label.lower()}.example"

    @property
    def email_pattern(self) -> str:
        """Matches the addresses of this world's members in SQL's LIKE."""
        return f"{self.label.lower()}-%{self._domain}"


def company_name(label: str, run: str = "") -> str:
    """The name of the company that owns the gyms of a world."""
    return f"FIT Monitor {label.lower()} {run}".rstrip()


def seed(store: Store, spec: WorldSpec, now: datetime, progress: Callable[[str], None] = lambda _: None) -> World:
    """Write a world, or what is missing of it.

    The gyms have no opening hours, and entering while inside is always refused there.

    Args:
        progress: called with what is being written.
    """
    progress("gyms and devices")
    plan = store.written(lambda connection: _plan(connection, spec, now))
    seeded = store.written(lambda connection: _gyms(connection, spec, plan.company_id, now))
    members = _members(store, spec, plan, now, progress)
    with store.reading() as connection:
        left = () if spec.run else _left_inside(connection, [gym.id for gym in seeded])
    return World(spec.company, plan.id, seeded, members, left)


def withdraw_devices(connection: Connection, company: str, now: datetime) -> None:
    """Revoke every device of a company's gyms: nobody scans there until the next run."""
    own = (
        select(gates.c.id)
        .join(gyms, gyms.c.id == gates.c.gym_id)
        .join(companies, companies.c.id == gyms.c.company_id)
        .where(companies.c.name == company)
    )
    gate_ids = connection.execute(own).scalars().all()
    in_use = gate_devices.c.gate_id.in_(gate_ids) & gate_devices.c.revoked_at.is_(None)
    connection.execute(update(gate_devices).where(in_use).values(revoked_at=now))


def retire_world(connection: Connection, world: World, now: datetime) -> None:
    """Retire the gyms and revoke their devices; scans and visits stay for inspection."""
    withdraw_devices(connection, world.company, now)
    connection.execute(update(gyms).where(gyms.c.id.in_(world.gym_ids)).values(retired_at=now))


def _plan(connection: Connection, spec: WorldSpec, now: datetime) -> Plan:
    """The company and its plan, which is not for sale."""
    CompanyRepository(connection).lock_or_create(now)  # the company of the real gyms must be the first one
    repository = PlanRepository(connection)
    query = select(plans.c.id).join(companies, companies.c.id == plans.c.company_id)
    found = connection.execute(query.where(companies.c.name == spec.company)).scalars().first()
    plan = repository.plan(found) if found is not None else None
    if plan is None:
        plan = Plan(new_id(), new_id(), PlanDetails(spec.label, 30, Money(1000, "EUR")), retired_at=now)
        connection.execute(insert(companies).values(id=plan.company_id, name=spec.company, created_at=now))
        repository.add(plan, now)
    return plan


def _gyms(connection: Connection, spec: WorldSpec, company_id: UUID, now: datetime) -> tuple[Gym, ...]:
    withdraw_devices(connection, spec.company, now)  # a run that was killed left its devices
    query = select(gyms.c.id).where(gyms.c.company_id == company_id).order_by(gyms.c.legacy_number)
    known = connection.execute(query.limit(len(spec.capacities))).scalars().all()
    repository = GymRepository(connection)
    seeded = []
    for place, (capacity, gym_id) in enumerate(zip_longest(spec.capacities, known)):
        name = f"{spec.label} gym {place + 1}"
        details = asdict(GymDetails(name, "Nowhere 1", "Europe/Berlin", capacity, None, 0, _LONGEST_VISIT_S))
        gym = repository.locked(gym_id, retired=True) if gym_id else None
        if gym is not None:
            repository.change(replace(gym, **details, retired_at=None, version=gym.version + 1))
        else:
            gym = StoredGym(**details, id=new_id(), legacy_number=repository.next_number(), version=1)
            repository.add(gym, company_id, now)
        seeded.append(Gym(gym.id, name, capacity, _gates(connection, spec, gym.id, capacity, now)))
    return tuple(seeded)


def _gates(connection: Connection, spec: WorldSpec, gym_id: UUID, capacity: int, now: datetime) -> tuple[Gate, ...]:
    """The gates of a gym, each with new devices: a credential is known only to the run that made it."""
    known = {gate.name: gate for gate in GateRepository(connection).gates_of(gym_id)}
    seeded = []
    for number in range(1, GATES_PER_GYM + 1):
        name = f"Gate {number}"
        gate = known.get(name) or create_gate(connection, gym_id, name, GateDirections.BOTH, now)
        if isinstance(gate, GymRefusal):
            raise TypeError(gate.detail)
        names = (f"{spec.label} scanner {number}" for number in range(1, spec.devices_per_gate + 1))
        devices = tuple(_device(connection, gate.id, name, now) for name in names)
        seeded.append(Gate(gate.id, name, gym_id, capacity, devices))
    return tuple(seeded)


def _device(connection: Connection, gate_id: UUID, name: str, now: datetime) -> Device:
    made = create_device(connection, gate_id, name, now)
    if isinstance(made, GymRefusal):
        raise TypeError(made.detail)
    return Device(made.device.id, made.credential)


def _members(
    store: Store, spec: WorldSpec, plan: Plan, now: datetime, progress: Callable[[str], None]
) -> tuple[Member, ...]:
    known: dict[str, UUID] = {}
    used: dict[UUID, int] = {}
    if not spec.run:
        with store.reading() as connection:
            known, used = _known_members(connection, spec)
    missing = [place for place in range(spec.members) if spec.email(place) not in known]
    for start in range(0, len(missing), _MEMBERS_AT_ONCE):
        progress(f"members: {start} of {len(missing)} new ones")
        places = missing[start : start + _MEMBERS_AT_ONCE]
        known |= store.written(partial(_add_members, spec=spec, plan=plan, places=places, now=now))
    return tuple(
        Member(member_id, spec.member_name(place), kind_at(place, spec.shares), used.get(member_id, 0))
        for place in range(spec.members)
        for member_id in (known[spec.email(place)],)
    )


def _add_members(
    connection: Connection, spec: WorldSpec, plan: Plan, places: Sequence[int], now: datetime
) -> dict[str, UUID]:
    """Accounts, and memberships with the ledger entries that explain them."""
    added = {spec.email(place): new_id() for place in places}
    kinds = [kind_at(place, spec.shares) for place in places]
    rows = [
        {
            "id": added[spec.email(place)],
            "email": spec.email(place),
            "name": spec.member_name(place),
            "banned_at": now if kind is MemberKind.BANNED else None,
            "reminders_off_at": now,
            "created_at": now,
        }
        for place, kind in zip(places, kinds, strict=True)
    ]
    _insert(connection, users, rows)
    _insert(connection, user_roles, [{"user_id": row["id"], "role": "User"} for row in rows])
    time_zone = PlanRepository(connection).time_zone_of(plan)
    today = day_of(now, time_zone)
    held, booked = [], []
    for row, kind in zip(rows, kinds, strict=True):
        if kind is MemberKind.NO_MEMBERSHIP:
            continue
        first, last = ENDED_DAYS if kind is MemberKind.ENDED else ACTIVE_DAYS
        draft = Draft(EntryKind.OPENING, Period(today + timedelta(first), today + timedelta(last)), grants=True)
        membership = {"id": new_id(), "member_id": row["id"], "plan_id": plan.id, "time_zone": time_zone}
        held.append({**membership, **projection(balance_of([(draft, today)]), time_zone), "created_at": now})
        booked.append(
            {
                "id": new_id(),
                "booking_id": new_id(),
                "number": 1,
                "member_id": row["id"],
                "membership_id": membership["id"],
                "kind": draft.kind,
                "from_day": (today + timedelta(first)).isoformat(),
                "until_day": (today + timedelta(last)).isoformat(),
                "days": draft.days,
                "moves": False,
                "booked_on": today.isoformat(),
                "reason": "seeded for a load test",
                "created_at": now,
            }
        )
    _insert(connection, memberships, held)
    _insert(connection, ledger_entries, booked)
    return added


def _known_members(connection: Connection, spec: WorldSpec) -> tuple[dict[str, UUID], dict[UUID, int]]:
    """The members of earlier runs by address, and the issue time of the pass that each used last."""
    last = select(func.max(visits.c.pass_issued_at)).where(visits.c.member_id == users.c.id).scalar_subquery()
    query = select(users.c.id, users.c.email, last.label("last"))
    rows = connection.execute(query.where(users.c.email.like(spec.email_pattern), users.c.deleted_at.is_(None))).all()
    return {row.email: row.id for row in rows}, {row.id: int(row.last.timestamp()) for row in rows if row.last}


def _left_inside(connection: Connection, gym_ids: Sequence[UUID]) -> tuple[tuple[Member, UUID], ...]:
    query = (
        select(users.c.id, users.c.name, open_visits.c.gym_id)
        .join(open_visits, open_visits.c.member_id == users.c.id)
        .where(open_visits.c.gym_id.in_(gym_ids))
        .order_by(open_visits.c.visit_id)
    )
    rows = connection.execute(query).all()
    return tuple((Member(row.id, row.name, MemberKind.ADMITTED), row.gym_id) for row in rows)


def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        connection.execute(insert(table), list(rows[start : start + _ROWS_AT_ONCE]))
