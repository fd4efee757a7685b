"""What can be done about gates and devices."""

import secrets
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from domain.gyms.model import Device, Gate, GymProblem, GymRefusal, NewDevice, Serves
from domain.gyms.repository import GymRepository
from domain.gyms.rules import hash_secret, refuse_change, refuse_gate, write_credential
from domain.gyms.service import UNKNOWN_GYM
from domain.ids import new_id

_SECRET_BYTES = 32
UNKNOWN_GATE = GymRefusal(GymProblem.UNKNOWN_GATE, "There is no such gate.")


def create_gate(gyms: GymRepository, gym_id: UUID, name: str, serves: Serves, now: datetime) -> Gate | GymRefusal:
    """Give a gym another gate; its name is unique there."""
    if not gyms.lock_gym(gym_id):
        return UNKNOWN_GYM
    if refusal := refuse_gate(gyms.gates_of(gym_id), name):
        return refusal
    gate = Gate(id=new_id(), gym_id=gym_id, name=name, serves=serves, created_at=now)
    gyms.add_gate(gate)
    return gate


def change_gate(
    gyms: GymRepository, gate_id: UUID, name: str | None, serves: Serves | None, expected: int | None
) -> Gate | GymRefusal:
    """Change a gate's name, which stays unique in its gym, or the ways it serves.

    Args:
        name, serves: None: as it is.
        expected: the version that was read; None: any.
    """
    gate = _locked(gyms, gate_id)
    if gate is None:
        return UNKNOWN_GATE
    if refusal := refuse_change("The gate", gate.version, expected):
        return refusal
    others = [other for other in gyms.gates_of(gate.gym_id) if other.id != gate.id]
    if name is not None and (refusal := refuse_gate(others, name)):
        return refusal
    changed = replace(gate, name=name or gate.name, serves=serves or gate.serves)
    if changed == gate:
        return gate
    changed = replace(changed, version=gate.version + 1)
    gyms.change_gate(changed)
    return changed


def retire_gate(gyms: GymRepository, gate_id: UUID, expected: int | None, now: datetime) -> GymRefusal | None:
    """Use a gate no more: nobody scans there, its devices are revoked, its name is free. Its past stays."""
    gate = _locked(gyms, gate_id)
    if gate is None:
        return UNKNOWN_GATE
    if refusal := refuse_change("The gate", gate.version, expected):
        return refusal
    gyms.retire_gate(gate_id, now)
    return None


def create_device(gyms: GymRepository, gate_id: UUID, name: str, now: datetime) -> NewDevice | GymRefusal:
    """Give a gate another device. Its secret leaves here once; what stays is a hash."""
    if gyms.gate(gate_id) is None:
        return UNKNOWN_GATE
    device = Device(id=new_id(), gate_id=gate_id, name=name, created_at=now, revoked_at=None)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    gyms.add_device(device, hash_secret(secret))
    return NewDevice(device, write_credential(device.id, secret))


def revoke_device(gyms: GymRepository, device_id: UUID, now: datetime) -> GymRefusal | None:
    """Take a device's credential back; once more changes nothing."""
    if gyms.revoke_device(device_id, now):
        return None
    return GymRefusal(GymProblem.UNKNOWN_DEVICE, "There is no such device.")


def _locked(gyms: GymRepository, gate_id: UUID) -> Gate | None:
    """A gate in use; its gym, and so all gates of that gym, are held until the unit of work ends."""
    gate = gyms.gate(gate_id)
    if gate is None:
        return None
    gyms.hold_gym(gate.gym_id)
    return gyms.gate(gate_id)  # as it is now
