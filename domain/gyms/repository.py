"""Gyms, gates and devices in the database."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, insert, select, update

from domain.gyms.model import Device, DeviceKey, Gate, Gym, Serves
from domain.paging import Page, PageRequest, page
from domain.tables import gate_devices, gates, gyms

_GYM = (gyms.c.id, gyms.c.legacy_number, gyms.c.name, gyms.c.address, gyms.c.time_zone, gyms.c.capacity)
_DEVICE = (
    gate_devices.c.id,
    gate_devices.c.gate_id,
    gate_devices.c.name,
    gate_devices.c.created_at,
    gate_devices.c.revoked_at,
)


class GymRepository:
    """Questions and changes within one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def gyms(self, request: PageRequest) -> Page[Gym]:
        """The gyms in operation, in the order in which they were set up."""
        query = select(*_GYM).where(gyms.c.retired_at.is_(None)).order_by(gyms.c.id).limit(request.fetch)
        if request.after:
            query = query.where(gyms.c.id > request.after)
        rows = [Gym(*row) for row in self._connection.execute(query)]
        return page(rows, request, lambda gym: gym.id)

    def gym(self, gym_id: UUID) -> Gym | None:
        """A gym in operation."""
        row = self._connection.execute(
            select(*_GYM).where(gyms.c.id == gym_id, gyms.c.retired_at.is_(None))
        ).one_or_none()
        return Gym(*row) if row else None

    def lock_gym(self, gym_id: UUID) -> bool:
        """Hold a gym's row until the unit of work ends; whether there is such a gym."""
        query = select(gyms.c.id).where(gyms.c.id == gym_id, gyms.c.retired_at.is_(None)).with_for_update()
        return self._connection.execute(query).one_or_none() is not None

    def gate(self, gate_id: UUID) -> Gate | None:
        """One gate."""
        return self.gates_by_id([gate_id]).get(gate_id)

    def gates_by_id(self, gate_ids: Collection[UUID]) -> dict[UUID, Gate]:
        """Those of the gates that exist."""
        rows = self._connection.execute(select(gates).where(gates.c.id.in_(gate_ids)))
        return {row.id: _gate(row) for row in rows}

    def gates(self, gym_id: UUID, request: PageRequest) -> Page[Gate]:
        """The gates of a gym, in the order in which they were set up."""
        query = select(gates).where(gates.c.gym_id == gym_id).order_by(gates.c.id).limit(request.fetch)
        if request.after:
            query = query.where(gates.c.id > request.after)
        rows = [_gate(row) for row in self._connection.execute(query)]
        return page(rows, request, lambda gate: gate.id)

    def gates_of(self, gym_id: UUID) -> list[Gate]:
        """All gates of a gym; there are as many as there are doors."""
        rows = self._connection.execute(select(gates).where(gates.c.gym_id == gym_id).order_by(gates.c.id))
        return [_gate(row) for row in rows]

    def add_gate(self, gate: Gate) -> None:
        """Keep a new gate."""
        self._connection.execute(
            insert(gates).values(
                id=gate.id, gym_id=gate.gym_id, name=gate.name, serves=gate.serves.value, created_at=gate.created_at
            )
        )

    def devices_of(self, gate_id: UUID, request: PageRequest) -> Page[Device]:
        """The devices of a gate, revoked ones too, oldest first."""
        query = (
            select(*_DEVICE).where(gate_devices.c.gate_id == gate_id).order_by(gate_devices.c.id).limit(request.fetch)
        )
        if request.after:
            query = query.where(gate_devices.c.id > request.after)
        rows = [Device(*row) for row in self._connection.execute(query)]
        return page(rows, request, lambda device: device.id)

    def device_keys(self, device_ids: Collection[UUID]) -> dict[UUID, DeviceKey]:
        """What is needed to recognise those of the devices that exist and are not revoked."""
        rows = self._connection.execute(
            select(gate_devices.c.id, gate_devices.c.gate_id, gates.c.gym_id, gate_devices.c.secret_hash)
            .join(gates, gates.c.id == gate_devices.c.gate_id)
            .where(gate_devices.c.id.in_(device_ids), gate_devices.c.revoked_at.is_(None))
        )
        return {row.id: DeviceKey(*row) for row in rows}

    def add_device(self, device: Device, secret_hash: str) -> None:
        """Keep a new device."""
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
        """Revoke a device; one revoked before keeps its time. Whether there is such a device."""
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
    return Gate(row.id, row.gym_id, row.name, Serves(row.serves), row.created_at)
