"""Gyms, the gates in their walls, and the devices that scan at them."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Serves(StrEnum):
    """Which ways a gate lets people through."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class GymDetails:
    """What an admin says of a gym.

    Args:
        time_zone: of the IANA's database, such as Europe/Berlin.
        capacity: how many people may be inside at once.
        reentry_after_s: so long after an entry another one ends the forgotten visit; None: it is always refused.
        grace_after_closing_s: how long after closing somebody may still be inside.
        longest_visit_s: a visit that is open for longer was forgotten.
        longest_use_s: the same of a machine in use.
    """

    name: str
    address: str
    time_zone: str
    capacity: int
    reentry_after_s: int | None = 15 * 60
    grace_after_closing_s: int = 30 * 60
    longest_visit_s: int = 6 * 3600
    longest_use_s: int = 2 * 3600


@dataclass(frozen=True, slots=True)
class Gym(GymDetails):
    """A gym as it is shown.

    Args:
        legacy_number: what the existing web client calls it.
        retired_at: since when nobody is let in any more; None: in operation.
        version: rises with every change.
    """

    id: UUID = field(kw_only=True)
    legacy_number: int = field(kw_only=True)
    version: int = field(kw_only=True)
    retired_at: datetime | None = field(default=None, kw_only=True)

    @property
    def details(self) -> GymDetails:
        """What can be changed of it."""
        return GymDetails(**{one.name: getattr(self, one.name) for one in fields(GymDetails)})


@dataclass(frozen=True, slots=True)
class Gate:
    """One way into or out of a gym. `version` rises with every change."""

    id: UUID
    gym_id: UUID
    name: str
    serves: Serves
    created_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True)
class Device:
    """A scanner at a gate, without its secret.

    Args:
        last_seen_at: when it last asked something, by the server's clock, some seconds late; None: never yet.
        clock_skew_ms: how far its clock was ahead when it last told the time.
    """

    id: UUID
    gate_id: UUID
    name: str
    created_at: datetime
    revoked_at: datetime | None
    last_seen_at: datetime | None = None
    clock_skew_ms: int | None = None


@dataclass(frozen=True, slots=True)
class DeviceAtGate:
    """A device in use, and the name of its gate."""

    device: Device
    gate_name: str


@dataclass(frozen=True, slots=True)
class DeviceSighting:
    """That a device asked something; `clock_skew_ms` is None where it did not tell the time."""

    device_id: UUID
    seen_at: datetime
    clock_skew_ms: int | None


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
    UNKNOWN_CONFLICT = "unknown_conflict"
    UNKNOWN_PAIRING = "unknown_pairing"
    GATE_NAME_TAKEN = "gate_name_taken"
    GYM_IN_USE = "gym_in_use"
    GYM_NOT_EMPTY = "gym_not_empty"
    CHANGED_MEANWHILE = "changed_meanwhile"
    HOURS_DO_NOT_FIT = "hours_do_not_fit"
    UNKNOWN_MACHINE = "unknown_machine"
    MACHINE_IN_USE = "machine_in_use"


@dataclass(frozen=True, slots=True)
class GymRefusal:
    """A wish that is not fulfilled, and why."""

    problem: GymProblem
    detail: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """A code that waits for its device, without the code itself."""

    id: UUID
    gate_id: UUID
    name: str
    created_by: UUID
    created_at: datetime
    expires_at: datetime


UNKNOWN_GYM = GymRefusal(GymProblem.UNKNOWN_GYM, "There is no such gym.")


UNKNOWN_GATE = GymRefusal(GymProblem.UNKNOWN_GATE, "There is no such gate.")
