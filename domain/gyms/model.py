"""Gyms, their gates, the devices at the gates, and refusals about them."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class GateDirections(StrEnum):
    """The directions that a gate is for."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class GymDetails:
    """The settings of a gym.

    Args:
        time_zone: a name of the IANA database, such as Europe/Berlin.
        capacity: how many people may be inside at once.
        reentry_after_s: from so many seconds after an entry on, another entry ends the forgotten visit and begins a new
            one; None: it is always refused.
        grace_after_closing_s: how long after closing members may still be inside.
        longest_visit_s: a visit that is open for longer counts as forgotten.
        longest_use_s: the use of a machine that is open for longer counts as forgotten.
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
    """A gym as it is stored.

    Args:
        legacy_number: how the existing web client names it.
        retired_at: since when nobody may enter; None: the gym is in operation.
        version: rises with every change.
    """

    id: UUID = field(kw_only=True)
    legacy_number: int = field(kw_only=True)
    version: int = field(kw_only=True)
    retired_at: datetime | None = field(default=None, kw_only=True)

    @property
    def details(self) -> GymDetails:
        """The settings that admins can change."""
        return GymDetails(**{one.name: getattr(self, one.name) for one in fields(GymDetails)})


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate of a gym. `version` rises with every change."""

    id: UUID
    gym_id: UUID
    name: str
    serves: GateDirections
    created_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True)
class Device:
    """A scanner at a gate, without its secret.

    Args:
        last_seen_at: its last request, by the server's clock, written some seconds later; None: none yet.
        clock_skew_ms: how far its clock was ahead when it last sent the time.
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
    """A request of a device. `clock_skew_ms` is None if the device did not send its time."""

    device_id: UUID
    seen_at: datetime
    clock_skew_ms: int | None


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A new device with its credential, which is shown only once."""

    device: Device
    credential: str


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """What authenticates a device that is not revoked."""

    id: UUID
    gate_id: UUID
    gym_id: UUID
    secret_hash: str


class GymProblem(StrEnum):
    """Reasons for a refusal. Stable, because clients compare them."""

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
    """A refused request and its reason."""

    problem: GymProblem
    detail: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """A pairing that nobody has claimed, without its code."""

    id: UUID
    gate_id: UUID
    name: str
    created_by: UUID
    created_at: datetime
    expires_at: datetime


UNKNOWN_GYM = GymRefusal(GymProblem.UNKNOWN_GYM, "There is no such gym.")


UNKNOWN_GATE = GymRefusal(GymProblem.UNKNOWN_GATE, "There is no such gate.")
