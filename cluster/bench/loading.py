"""Writes a world into the store in bulk, apart from all others, and takes it out of operation again."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, func, insert, select, update

from cluster.bench.world import BenchDevice, BenchGate, BenchMember, BenchWorld, Kind, kind_at
from domain.companies.tables import companies
from domain.gyms.model import Serves
from domain.gyms.rules import hash_secret, write_credential
from domain.gyms.tables import gate_devices, gates, gyms
from domain.identity.tables import users
from domain.ids import new_id
from domain.memberships.tables import memberships, plans

COMPANY = "FIT Monitor bench"
GATES_A_GYM = 2
# A device may ask for 50 scans a second; so many of them leave that limit as it is, and far away.
DEVICES_A_GATE = 16
# Memberships, before and after now.
MEMBER_SINCE, ENDED_AGO, MEMBER_UNTIL = timedelta(days=40), timedelta(days=10), timedelta(days=20)
_SECRET_BYTES = 32
_ROWS_AT_ONCE = 1000


def load(
    connection: Connection,
    *,
    number_of_gyms: int,
    number_of_members: int,
    now: datetime,
    capacity: int | None = None,
    all_admitted: bool = False,
    devices_a_gate: int = DEVICES_A_GATE,
) -> BenchWorld:
    """Write a company of its own with gyms, two gates each, and members; whatever is there already stays.

    Args:
        capacity: of every gym; as many as there are members unless told.
        all_admitted: whether every member's door says yes; else nine in a hundred are refused.
    """
    company_id = new_id()
    connection.execute(
        insert(companies).values(id=company_id, name=f"{COMPANY} {now:%Y-%m-%d %H:%M:%S}", created_at=now)
    )
    members = _members(number_of_members, all_admitted=all_admitted)
    capacity = number_of_members if capacity is None else capacity
    gym_ids = [new_id() for _ in range(number_of_gyms)]
    first = (connection.execute(select(func.max(gyms.c.legacy_number))).scalar() or 0) + 1
    _insert(
        connection,
        gyms,
        [_gym(gym_id, company_id, first + place, capacity, now) for place, gym_id in enumerate(gym_ids)],
    )
    all_gates = _gates(connection, gym_ids, devices_a_gate, now)
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
    plan_id = new_id()
    _give_memberships(connection, company_id, plan_id, members, now)
    return BenchWorld(company_id, plan_id, all_gates, members, capacity)


def retire(connection: Connection, world: BenchWorld, now: datetime) -> None:
    """Take the gyms out of operation and the devices' credentials back; scans and visits stay for whoever doubts."""
    connection.execute(update(gyms).where(gyms.c.id.in_(world.gym_ids)).values(retired_at=now))
    gate_ids = [gate.id for gate in world.gates]
    connection.execute(update(gate_devices).where(gate_devices.c.gate_id.in_(gate_ids)).values(revoked_at=now))


def _members(number: int, *, all_admitted: bool) -> tuple[BenchMember, ...]:
    return tuple(
        BenchMember(new_id(), f"Bench {place:05}", Kind.ADMITTED if all_admitted else kind_at(place))
        for place in range(number)
    )


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


def _gates(
    connection: Connection, gym_ids: Sequence[UUID], devices_a_gate: int, now: datetime
) -> tuple[BenchGate, ...]:
    made: list[BenchGate] = []
    device_rows: list[dict[str, Any]] = []
    for gym_id in gym_ids:
        for _ in range(GATES_A_GYM):
            gate_id = new_id()
            devices = []
            for place in range(devices_a_gate):
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


def _give_memberships(
    connection: Connection, company_id: UUID, plan_id: UUID, members: Sequence[BenchMember], now: datetime
) -> None:
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
    rows = [
        {
            "id": new_id(),
            "member_id": member.id,
            "plan_id": plan_id,
            "starts_at": now - MEMBER_SINCE,
            "ends_at": now - ENDED_AGO if member.kind is Kind.ENDED else now + MEMBER_UNTIL,
            "created_at": now,
        }
        for member in members
        if member.kind is not Kind.NO_MEMBERSHIP
    ]
    _insert(connection, memberships, rows)


def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        connection.execute(insert(table), list(rows[start : start + _ROWS_AT_ONCE]))
