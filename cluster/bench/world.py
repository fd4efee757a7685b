"""The gyms, gates, devices and members that a measurement works with: loaded in bulk, apart from all others."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, func, insert, select, update

from domain.gyms.model import Serves
from domain.gyms.rules import hash_secret, write_credential
from domain.ids import new_id
from domain.tables import companies, gate_devices, gates, gyms, memberships, open_visits, plans, users, visits

COMPANY = "FIT Monitor bench"
GATES_A_GYM = 2
# A device may ask for 50 scans a second; so many of them leave that limit as it is, and far away.
DEVICES_A_GATE = 16
_SECRET_BYTES = 32
_ROWS_AT_ONCE = 1000


class Kind(StrEnum):
    """What a member's door says to them."""

    ADMITTED = "admitted"
    NO_MEMBERSHIP = "no_membership"
    ENDED = "ended"
    BANNED = "banned"


# Of a hundred members; the others are admitted.
_SHARES = {Kind.NO_MEMBERSHIP: 3, Kind.ENDED: 3, Kind.BANNED: 3}


@dataclass(frozen=True, slots=True)
class BenchDevice:
    """A scanner, by what it shows."""

    id: UUID
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BenchGate:
    """A gate and its scanners."""

    id: UUID
    gym_id: UUID
    devices: tuple[BenchDevice, ...]


@dataclass(frozen=True, slots=True)
class BenchMember:
    """A member, by what a gate shows of them."""

    id: UUID
    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class BenchWorld:
    """What was loaded. `capacity` is every gym's; all members fit into one."""

    company_id: UUID
    gates: tuple[BenchGate, ...]
    members: tuple[BenchMember, ...]
    capacity: int

    @property
    def gym_ids(self) -> Sequence[UUID]:
        """The gyms, each once."""
        return list(dict.fromkeys(gate.gym_id for gate in self.gates))

    @property
    def devices(self) -> int:
        """How many scanners there are."""
        return sum(len(gate.devices) for gate in self.gates)

    def of_kind(self, kind: Kind) -> list[BenchMember]:
        """The members of one kind."""
        return [member for member in self.members if member.kind is kind]


def load(connection: Connection, *, number_of_gyms: int, number_of_members: int, now: datetime) -> BenchWorld:
    """Write a company of its own with gyms, two gates each, and members; whatever is there already stays."""
    company_id = new_id()
    connection.execute(
        insert(companies).values(id=company_id, name=f"{COMPANY} {now:%Y-%m-%d %H:%M:%S}", created_at=now)
    )
    members = _members(number_of_members)
    capacity = number_of_members
    gym_ids = [new_id() for _ in range(number_of_gyms)]
    first = (connection.execute(select(func.max(gyms.c.legacy_number))).scalar() or 0) + 1
    _insert(
        connection,
        gyms,
        [_gym(gym_id, company_id, first + place, capacity, now) for place, gym_id in enumerate(gym_ids)],
    )
    all_gates = _gates(connection, gym_ids, now)
    _insert(
        connection,
        users,
        [
            {
                "id": member.id,
                "email": f"{member.id.hex}@bench.example",
                "name": member.name,
                "banned_at": now if member.kind is Kind.BANNED else None,
                "created_at": now,
            }
            for member in members
        ],
    )
    _give_memberships(connection, company_id, members, now)
    return BenchWorld(company_id, all_gates, members, capacity)


def retire(connection: Connection, world: BenchWorld, now: datetime) -> None:
    """Take the gyms out of operation and the devices' credentials back; scans and visits stay for whoever doubts."""
    connection.execute(update(gyms).where(gyms.c.id.in_(world.gym_ids)).values(retired_at=now))
    gate_ids = [gate.id for gate in world.gates]
    connection.execute(update(gate_devices).where(gate_devices.c.gate_id.in_(gate_ids)).values(revoked_at=now))


def gates_entered_by(connection: Connection, world: BenchWorld) -> dict[UUID, UUID]:
    """Who is inside, with the gate by which they came."""
    rows = connection.execute(
        select(open_visits.c.member_id, visits.c.gate_id)
        .join(visits, visits.c.id == open_visits.c.visit_id)
        .where(open_visits.c.gym_id.in_(world.gym_ids))
    )
    return {row.member_id: row.gate_id for row in rows}


def _members(number: int) -> tuple[BenchMember, ...]:
    kinds = [kind for kind, share in _SHARES.items() for _ in range(share)]
    kinds += [Kind.ADMITTED] * (100 - len(kinds))
    return tuple(BenchMember(new_id(), f"Bench {place:05}", kinds[place % len(kinds)]) for place in range(number))


def _gym(gym_id: UUID, company_id: UUID, number: int, capacity: int, now: datetime) -> dict[str, Any]:
    return {
        "id": gym_id,
        "legacy_number": number,
        "company_id": company_id,
        "name": f"Bench gym {number}",
        "address": "Nowhere 1",
        "time_zone": "Europe/Berlin",
        "capacity": capacity,
        "reentry_after_s": None,  # entering twice is refused however long a measurement takes
        "grace_after_closing_s": 0,
        "longest_visit_s": 6 * 3600,
        "version": 1,
        "created_at": now,
    }


def _gates(connection: Connection, gym_ids: Sequence[UUID], now: datetime) -> tuple[BenchGate, ...]:
    made: list[BenchGate] = []
    device_rows: list[dict[str, Any]] = []
    for gym_id in gym_ids:
        for _ in range(GATES_A_GYM):
            gate_id = new_id()
            devices = []
            for place in range(DEVICES_A_GATE):
                secret = secrets.token_urlsafe(_SECRET_BYTES)
                device_id = new_id()
                devices.append(BenchDevice(device_id, write_credential(device_id, secret)))
                device_rows.append(
                    {
                        "id": device_id,
                        "gate_id": gate_id,
                        "name": f"Scanner {place + 1}",
                        "secret_hash": hash_secret(secret),
                        "created_at": now,
                    }
                )
            made.append(BenchGate(gate_id, gym_id, tuple(devices)))
    gate_rows = [
        {
            "id": gate.id,
            "gym_id": gate.gym_id,
            "name": f"Gate {place % GATES_A_GYM + 1}",
            "serves": Serves.BOTH.value,
            "created_at": now,
        }
        for place, gate in enumerate(made)
    ]
    _insert(connection, gates, gate_rows)
    _insert(connection, gate_devices, device_rows)
    return tuple(made)


def _give_memberships(connection: Connection, company_id: UUID, members: Sequence[BenchMember], now: datetime) -> None:
    plan_id = new_id()
    connection.execute(
        insert(plans).values(
            id=plan_id,
            company_id=company_id,
            name="30 days",
            days=30,
            price_amount=1000,
            price_currency="EUR",
            grace_days=3,
            covers_all_gyms=True,
            created_at=now,
        )
    )
    day = timedelta(days=1)
    rows = [
        {
            "id": new_id(),
            "member_id": member.id,
            "plan_id": plan_id,
            "starts_at": now - 40 * day,
            "ends_at": now - 10 * day if member.kind is Kind.ENDED else now + 20 * day,
            "created_at": now,
        }
        for member in members
        if member.kind is not Kind.NO_MEMBERSHIP
    ]
    _insert(connection, memberships, rows)


def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        connection.execute(insert(table), list(rows[start : start + _ROWS_AT_ONCE]))
