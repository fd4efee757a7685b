"""The demo data: two gyms with gates and devices, and two hundred members with memberships in every state."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import count, islice, product
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, insert, select

from cluster.demo_accounts import add_demo_accounts
from domain.clock import system_clock
from domain.companies.tables import companies
from domain.gyms.gate_service import create_device, create_gate
from domain.gyms.model import GateDirections, GymRefusal
from domain.gyms.tables import gyms
from domain.identity.tables import user_roles, users
from domain.ids import new_id
from domain.memberships.booked_membership import BookingOrigin
from domain.memberships.ledger import Draft, EntryKind
from domain.memberships.periods import Period
from domain.memberships.plan_repository import PlanRepository
from domain.memberships.plans import Plan, PlanDetails
from domain.memberships.repository import LedgerRepository
from domain.money import Money
from domain.unit_of_work import Store
from integrations.settings import Settings

FILE = "demo.json"
MAIL = "demo.example"
FIRST = ("Ada", "Ben", "Carla", "David", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jonas",
         "Kofi", "Lena", "Mia", "Noah", "Olga", "Paul", "Qi", "Rosa", "Sami", "Tara")  # fmt: skip
LAST = ("Albers", "Brandt", "Costa", "Duarte", "Eriksen", "Fischer", "Garcia", "Haddad", "Ivanov", "Jansen")
GYMS = (("Riverside", "Quay 7", "Europe/Berlin", 120), ("Old Mill", "Mill Lane 2", "Europe/Lisbon", 40))
GATES = ("Front door", "Back door")
PLANS = ((30, 1000), (90, 2500), (180, 4500), (365, 8000))  # days, EUR cents


@dataclass(frozen=True, slots=True)
class _Kind:
    """A group of members with equal memberships.

    Args:
        state: its name in the demo's file.
        members: number of members.
        starts, ends: of the membership, in days from today.
        one_gym: whether their plan is valid at one gym only.
    """

    state: str
    members: int
    starts: int
    ends: int
    frozen: bool = False
    arrears: bool = False
    banned: bool = False
    one_gym: bool = False
    has_membership: bool = True


KINDS = (
    _Kind("active", 158, -20, 70),
    _Kind("in grace", 8, -31, -1),
    _Kind("ended", 8, -60, -30),
    _Kind("frozen", 6, -20, 70, frozen=True),
    _Kind("in arrears", 4, -20, 70, arrears=True),
    _Kind("banned", 2, -20, 70, banned=True),
    _Kind("one gym", 8, -20, 70, one_gym=True),
    _Kind("no membership", 6, 0, 0, has_membership=False),
)


@dataclass(frozen=True, slots=True)
class DemoMember:
    """A member of the demo."""

    email: str
    name: str
    state: str


def seed_demo(settings: Settings) -> Path:
    """Fill an empty database with the demo. A database that has the demo already stays as it is.

    Returns:
        The file with gates, the credentials of their devices, members, and the passwords of an admin, a member of staff
        and the first member. It is readable by its owner only.

    Raises:
        FileExistsError: the database has gyms, but not from a demo.
    """
    file = settings.data_dir / FILE
    store = Store(settings.database.url.get_secret_value(), pool_size=1)
    try:
        with store.writing() as connection:
            if connection.execute(select(func.count()).select_from(gyms)).scalar_one():
                if not file.exists():
                    raise FileExistsError(
                        "the database has gyms already, and the demo needs an empty one; leave --demo out"
                    )
                demo = read_demo(settings) or {}
                if add_demo_accounts(settings, connection, demo):  # a demo of a version without accounts
                    _write(file, demo)
                return file
            # The file is written before the commit: nobody could use a demo without its credentials.
            demo = _seed(connection, system_clock())
            add_demo_accounts(settings, connection, demo)
            _write(file, demo)
    finally:
        store.close()
    return file


def read_demo(settings: Settings) -> dict[str, Any] | None:
    """The content of the file that `seed_demo` wrote; None where there is no demo."""
    file = settings.data_dir / FILE
    if not file.exists():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _write(file: Path, content: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        json.dump(content, opened, indent=1)


def _seed(connection: Connection, now: datetime) -> dict[str, Any]:
    company = new_id()
    connection.execute(
        insert(companies).values(
            id=company,
            name="Demo Gyms",
            address="Quay 7, 10115 Berlin, Germany",
            vat_number="DE000000000",
            vat_rate_bp=1900,
            created_at=now,
        )
    )
    places = [_gym(connection, company, number, now) for number in range(1, len(GYMS) + 1)]
    members = _members(connection, company, UUID(places[0]["id"]), now)
    staff = {role.lower(): _staff(connection, role, now) for role in ("Admin", "Staff")}
    return {**staff, "gyms": places, "members": [asdict(member) for member in members]}


def _gym(connection: Connection, company: UUID, number: int, now: datetime) -> dict[str, Any]:
    name, address, zone, capacity = GYMS[number - 1]
    gym_id = new_id()
    connection.execute(
        insert(gyms).values(
            id=gym_id,
            legacy_number=number,
            company_id=company,
            name=name,
            address=address,
            time_zone=zone,
            capacity=capacity,
            reentry_after_s=15 * 60,
            grace_after_closing_s=30 * 60,
            longest_visit_s=6 * 3600,
            version=1,
            created_at=now,
        )
    )
    return {"id": str(gym_id), "name": name, "gates": [_gate(connection, gym_id, gate, now) for gate in GATES]}


def _gate(connection: Connection, gym_id: UUID, name: str, now: datetime) -> dict[str, str]:
    gate = create_gate(connection, gym_id, name, GateDirections.BOTH, now)
    if isinstance(gate, GymRefusal):
        raise TypeError(gate.detail)
    device = create_device(connection, gate.id, f"Scanner, {name.lower()}", now)
    if isinstance(device, GymRefusal):
        raise TypeError(device.detail)
    return {"id": str(gate.id), "name": gate.name, "serves": gate.serves, "device": device.credential}


def _members(connection: Connection, company: UUID, single_gym: UUID, now: datetime) -> list[DemoMember]:
    plans = _plans(connection, company, single_gym, now)
    people = product(LAST, FIRST)
    found = []
    turn = count()
    for kind in KINDS:
        for last, first in islice(people, kind.members):
            member = DemoMember(f"{first}.{last}@{MAIL}".lower(), f"{first} {last}", kind.state)
            user_id = _user(connection, member.email, member.name, "User", now, banned=kind.banned)
            found.append(member)
            if kind.has_membership:
                plan = plans[-1] if kind.one_gym else plans[next(turn) % len(PLANS)]
                _membership(connection, user_id, plan, kind, now)
    return found


def _plans(connection: Connection, company: UUID, single_gym: UUID, now: datetime) -> list[Plan]:
    """Add the plans for all gyms, then the one for a single gym."""
    details = [PlanDetails(f"{days} days", days, Money(price, "EUR")) for days, price in PLANS]
    details.append(
        PlanDetails("30 days, one gym", 30, Money(700, "EUR"), covers_all_gyms=False, gyms=frozenset({single_gym}))
    )
    plans = [Plan(new_id(), company, each) for each in details]
    for plan in plans:
        PlanRepository(connection).add(plan, now)
    return plans


def _membership(connection: Connection, member_id: UUID, plan: Plan, kind: _Kind, now: datetime) -> None:
    """Add a membership as an opening balance of the ledger."""
    ledger = LedgerRepository(connection)
    held = ledger.to_prolong(member_id, plan, now)
    today = held.today(now)

    def span(first: int, last: int) -> Period:
        return Period(today + timedelta(days=first), today + timedelta(days=last))

    periods = [span(kind.starts, kind.ends)]
    freeze = span(-1, 13) if kind.frozen else None
    if freeze:
        periods = [span(kind.starts, -1), span(13, kind.ends)]
    drafts = [Draft(EntryKind.OPENING, period, grants=True) for period in periods]
    if freeze:
        drafts.append(Draft(EntryKind.FREEZE, freeze=freeze))
    if kind.arrears:
        drafts.append(Draft(EntryKind.DISPUTE_OPENED, provider_id=f"demo-{member_id}"))
    ledger.book(held, drafts, BookingOrigin(None, "part of the demo"), now)


def _staff(connection: Connection, role: str, now: datetime) -> dict[str, str]:
    email = f"{role.lower()}@{MAIL}"
    _user(connection, email, f"Demo {role}", role, now)
    return {"email": email}


def _user(connection: Connection, email: str, name: str, role: str, now: datetime, *, banned: bool = False) -> UUID:
    user_id = new_id()
    connection.execute(
        insert(users).values(id=user_id, email=email, name=name, banned_at=now if banned else None, created_at=now)
    )
    connection.execute(insert(user_roles).values(user_id=user_id, role=role))
    return user_id
