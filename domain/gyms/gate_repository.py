"""Gates and devices in the database."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, func, insert, or_, select, update

from domain.gyms.model import Device, DeviceAtGate, DeviceKey, DeviceSighting, Gate, GateDirections
from domain.gyms.tables import gate_devices, gates, gyms
from domain.paging import Page, PageRequest, page

_DEVICE = (
    gate_devices.c.id,
    gate_devices.c.gate_id,
    gate_devices.c.name,
    gate_devices.c.created_at,
    gate_devices.c.revoked_at,
    gate_devices.c.last_seen_at,
    gate_devices.c.clock_skew_ms,
)


class GateRepository:
    """Reads and writes gates and devices in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def gate(self, gate_id: UUID) -> Gate | None:
        """One gate in use."""
        return self.gates_by_id([gate_id]).get(gate_id)

    def gates_by_id(self, gate_ids: Collection[UUID]) -> dict[UUID, Gate]:
        """Those of the gates that exist and are not retired."""
        rows = self._connection.execute(select(gates).where(gates.c.id.in_(gate_ids), gates.c.retired_at.is_(None)))
        return {row.id: _gate(row) for row in rows}

    def gates(self, gym_id: UUID, request: PageRequest) -> Page[Gate]:
        """The gates of a gym, in the order of their creation."""
        query = (
            select(gates)
            .where(gates.c.gym_id == gym_id, gates.c.retired_at.is_(None))
            .order_by(gates.c.id)
            .limit(request.fetch)
        )
        if request.after:
            query = query.where(gates.c.id > request.after)
        rows = [_gate(row) for row in self._connection.execute(query)]
        return page(rows, request, lambda gate: gate.id)

    def gates_of(self, gym_id: UUID) -> list[Gate]:
        """All gates in use of a gym; there are few."""
        rows = self._connection.execute(
            select(gates).where(gates.c.gym_id == gym_id, gates.c.retired_at.is_(None)).order_by(gates.c.id)
        )
        return [_gate(row) for row in rows]

    def gate_of_numbered_gym(self, number: int) -> Gate | None:
        """The oldest gate in both directions of the gym with this legacy number, which may be retired."""
        row = self._connection.execute(
            select(gates)
            .join(gyms, gyms.c.id == gates.c.gym_id)
            .where(
                gyms.c.legacy_number == number,
                gates.c.serves == GateDirections.BOTH.value,
                gates.c.retired_at.is_(None),
            )
            .order_by(gates.c.id)
            .limit(1)
        ).one_or_none()
        return _gate(row) if row else None

    def add_gate(self, gate: Gate) -> None:
        """Insert a gate."""
        self._connection.execute(
            insert(gates).values(
                id=gate.id, gym_id=gate.gym_id, name=gate.name, serves=gate.serves.value, created_at=gate.created_at
            )
        )

    def change_gate(self, gate: Gate) -> None:
        """Update a gate."""
        self._connection.execute(
            update(gates)
            .where(gates.c.id == gate.id)
            .values(name=gate.name, serves=gate.serves.value, version=gate.version)
        )

    def retire_gate(self, gate_id: UUID, now: datetime) -> None:
        """Retire a gate and revoke its devices."""
        self._connection.execute(
            update(gates).where(gates.c.id == gate_id).values(retired_at=now, version=gates.c.version + 1)
        )
        self._connection.execute(
            update(gate_devices)
            .where(gate_devices.c.gate_id == gate_id, gate_devices.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )

    def devices_of(self, gate_id: UUID, request: PageRequest) -> Page[Device]:
        """The devices of a gate, including revoked ones, oldest first."""
        query = (
            select(*_DEVICE).where(gate_devices.c.gate_id == gate_id).order_by(gate_devices.c.id).limit(request.fetch)
        )
        if request.after:
            query = query.where(gate_devices.c.id > request.after)
        rows = [Device(*row) for row in self._connection.execute(query)]
        return page(rows, request, lambda device: device.id)

    def devices_at(self, gym_id: UUID, request: PageRequest) -> Page[DeviceAtGate]:
        """The devices of a gym that are in use, oldest first."""
        query = (
            select(*_DEVICE, gates.c.name.label("gate_name"))
            .join(gates, gates.c.id == gate_devices.c.gate_id)
            .where(gates.c.gym_id == gym_id, gates.c.retired_at.is_(None), gate_devices.c.revoked_at.is_(None))
            .order_by(gate_devices.c.id)
            .limit(request.fetch)
        )
        if request.after:
            query = query.where(gate_devices.c.id > request.after)
        rows = [DeviceAtGate(Device(*row[:-1]), row.gate_name) for row in self._connection.execute(query)]
        return page(rows, request, lambda one: one.device.id)

    def devices_seen(self, sightings: Sequence[DeviceSighting]) -> None:
        """Store when devices were last seen. Older sightings than the stored ones change nothing."""
        if not sightings:
            return
        seen_at = bindparam("seen_at", type_=gate_devices.c.last_seen_at.type)
        skew = bindparam("skew", type_=gate_devices.c.clock_skew_ms.type)
        self._connection.execute(
            update(gate_devices)
            .where(
                gate_devices.c.id == bindparam("device", type_=gate_devices.c.id.type),
                or_(gate_devices.c.last_seen_at.is_(None), gate_devices.c.last_seen_at < seen_at),
            )
            .values(last_seen_at=seen_at, clock_skew_ms=func.coalesce(skew, gate_devices.c.clock_skew_ms)),
            [
                {"device": one.device_id, "seen_at": one.seen_at, "skew": one.clock_skew_ms}
                for one in sorted(sightings, key=lambda one: one.device_id)
            ],
        )

    def device_keys(self, device_ids: Collection[UUID]) -> dict[UUID, DeviceKey]:
        """The keys of those devices that are not revoked, at gates in use."""
        rows = self._connection.execute(
            select(gate_devices.c.id, gate_devices.c.gate_id, gates.c.gym_id, gate_devices.c.secret_hash)
            .join(gates, gates.c.id == gate_devices.c.gate_id)
            .where(
                gate_devices.c.id.in_(device_ids),
                gate_devices.c.revoked_at.is_(None),
                gates.c.retired_at.is_(None),
            )
        )
        return {row.id: DeviceKey(*row) for row in rows}

    def add_device(self, device: Device, secret_hash: str) -> None:
        """Insert a device."""
        self._connection.execute(
            insert(gate_devices).values(
                id=device.id,
                gate_id=device.gate_id,
                name=device.name,
                secret_hash=secret_hash,
                created_at=device.created_at,
            )
        )

    def revoke_device(self, device_id: UUID, now: datetime) -> bool:
        """Revoke a device; the first time counts. Returns whether the device exists."""
        known = self._connection.execute(
            select(gate_devices.c.id).where(gate_devices.c.id == device_id).with_for_update()
        ).one_or_none()
        self._connection.execute(
            update(gate_devices)
            .where(gate_devices.c.id == device_id, gate_devices.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        return known is not None


def _gate(row: Row[Any]) -> Gate:
    return Gate(row.id, row.gym_id, row.name, GateDirections(row.serves), row.created_at, row.version)
