"""Use cases of gates and devices."""

import secrets
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from domain.gyms.gate_repository import GateRepository
from domain.gyms.model import UNKNOWN_GATE, UNKNOWN_GYM, Device, Gate, GateDirections, GymProblem, GymRefusal, NewDevice
from domain.gyms.repository import GymRepository
from domain.gyms.rules import hash_secret, refuse_change, refuse_gate, write_credential
from domain.ids import new_id

_SECRET_BYTES = 32


def create_gate(
    connection: Connection, gym_id: UUID, name: str, serves: GateDirections, now: datetime
) -> Gate | GymRefusal:
    """Create a gate. Its name is unique within its gym."""
    if GymRepository(connection).locked(gym_id) is None:
        return UNKNOWN_GYM
    gates = GateRepository(connection)
    if refusal := refuse_gate(gates.gates_of(gym_id), name):
        return refusal
    gate = Gate(id=new_id(), gym_id=gym_id, name=name, serves=serves, created_at=now)
    gates.add_gate(gate)
    return gate


def change_gate(
    connection: Connection, gate_id: UUID, name: str | None, serves: GateDirections | None, expected: int | None
) -> Gate | GymRefusal:
    """Change the name of a gate, which stays unique within its gym, or its directions.

    Args:
        name, serves: None keeps what is stored.
        expected: the version that the caller has read; None accepts any version.
    """
    gate = _locked(connection, gate_id)
    if gate is None:
        return UNKNOWN_GATE
    if refusal := refuse_change("The gate", gate.version, expected):
        return refusal
    gates = GateRepository(connection)
    other_gates = [other for other in gates.gates_of(gate.gym_id) if other.id != gate.id]
    if name is not None and (refusal := refuse_gate(other_gates, name)):
        return refusal
    changed = replace(gate, name=name or gate.name, serves=serves or gate.serves)
    if changed == gate:
        return gate
    changed = replace(changed, version=gate.version + 1)
    gates.change_gate(changed)
    return changed


def retire_gate(connection: Connection, gate_id: UUID, expected: int | None, now: datetime) -> GymRefusal | None:
    """Retire a gate: its devices are revoked and its name becomes free. Its records stay."""
    gate = _locked(connection, gate_id)
    if gate is None:
        return UNKNOWN_GATE
    if refusal := refuse_change("The gate", gate.version, expected):
        return refusal
    GateRepository(connection).retire_gate(gate_id, now)
    return None


def create_device(connection: Connection, gate_id: UUID, name: str, now: datetime) -> NewDevice | GymRefusal:
    """Create a device. The secret is returned once; only its hash is stored."""
    gates = GateRepository(connection)
    if gates.gate(gate_id) is None:
        return UNKNOWN_GATE
    device = Device(id=new_id(), gate_id=gate_id, name=name, created_at=now, revoked_at=None)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    gates.add_device(device, hash_secret(secret))
    return NewDevice(device, write_credential(device.id, secret))


def revoke_device(connection: Connection, device_id: UUID, now: datetime) -> GymRefusal | None:
    """Revoke a device. Idempotent."""
    if GateRepository(connection).revoke_device(device_id, now):
        return None
    return GymRefusal(GymProblem.UNKNOWN_DEVICE, "There is no such device.")


def _locked(connection: Connection, gate_id: UUID) -> Gate | None:
    """A gate in use, with its gym, and so all gates of that gym, locked until the unit of work ends."""
    gates = GateRepository(connection)
    gate = gates.gate(gate_id)
    if gate is None:
        return None
    GymRepository(connection).locked(gate.gym_id, retired=True)
    return gates.gate(gate_id)  # read again: it may have changed before the lock
