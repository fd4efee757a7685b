"""What can be done about gates and devices."""

import secrets
from datetime import datetime
from uuid import UUID

from domain.gyms.model import Device, Gate, GymProblem, GymRefusal, NewDevice, Serves
from domain.gyms.repository import GymRepository
from domain.gyms.rules import hash_secret, refuse_gate, write_credential
from domain.ids import new_id

_SECRET_BYTES = 32


def create_gate(gyms: GymRepository, gym_id: UUID, name: str, serves: Serves, now: datetime) -> Gate | GymRefusal:
    """Give a gym another gate; its name is unique there."""
    if not gyms.lock_gym(gym_id):
        return GymRefusal(GymProblem.UNKNOWN_GYM, "There is no such gym.")
    if refusal := refuse_gate(gyms.gates_of(gym_id), name):
        return refusal
    gate = Gate(id=new_id(), gym_id=gym_id, name=name, serves=serves, created_at=now)
    gyms.add_gate(gate)
    return gate


def create_device(gyms: GymRepository, gate_id: UUID, name: str, now: datetime) -> NewDevice | GymRefusal:
    """Give a gate another device. Its secret leaves here once; what stays is a hash."""
    if gyms.gate(gate_id) is None:
        return GymRefusal(GymProblem.UNKNOWN_GATE, "There is no such gate.")
    device = Device(id=new_id(), gate_id=gate_id, name=name, created_at=now, revoked_at=None)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    gyms.add_device(device, hash_secret(secret))
    return NewDevice(device, write_credential(device.id, secret))


def revoke_device(gyms: GymRepository, device_id: UUID, now: datetime) -> GymRefusal | None:
    """Take a device's credential back; once more changes nothing."""
    if gyms.revoke_device(device_id, now):
        return None
    return GymRefusal(GymProblem.UNKNOWN_DEVICE, "There is no such device.")
