"""Gyms, the gates in their walls, and the devices that scan at them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Serves(StrEnum):
    """Which ways a gate lets people through."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Gym:
    """A gym as it is shown. Capacity is the number of people who may be inside at once."""

    id: UUID
    legacy_number: int
    name: str
    address: str
    time_zone: str
    capacity: int


@dataclass(frozen=True, slots=True)
class Gate:
    """One way into or out of a gym."""

    id: UUID
    gym_id: UUID
    name: str
    serves: Serves
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Device:
    """A scanner at a gate, without its secret."""

    id: UUID
    gate_id: UUID
    name: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A device just made, and its credential, which is shown this once and never again."""

    device: Device
    credential: str


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """What it takes to recognise a device that is not revoked."""

    id: UUID
    gate_id: UUID
    gym_id: UUID
    secret_hash: str


class GymProblem(StrEnum):
    """Why something about a gym cannot be done. Stable: clients compare these."""

    UNKNOWN_GYM = "unknown_gym"
    UNKNOWN_GATE = "unknown_gate"
    UNKNOWN_DEVICE = "unknown_device"
    GATE_NAME_TAKEN = "gate_name_taken"


@dataclass(frozen=True, slots=True)
class GymRefusal:
    """A wish that is not fulfilled, and why."""

    problem: GymProblem
    detail: str
