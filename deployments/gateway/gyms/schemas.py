"""Request and response bodies of gyms, opening hours, gates, devices and pairings."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, AliasChoices, BaseModel, Field, StringConstraints, model_validator

from deployments.gym.devices import IssuedPairing
from deployments.http.calendar_days import Day
from deployments.http.request_body import RequestBody
from deployments.http.schemas import Document, Name
from deployments.http.text import LINE, PARAGRAPHS
from domain.gyms.model import DeviceAtGate, GateDirections, GymDetails, NewDevice
from domain.gyms.opening_hours import OpeningException, OpeningHours, change_after, is_open
from domain.gyms.rules import time_zones
from domain.gyms.timetable import GymHours, Timetable, clock_time

SILENT_AFTER = timedelta(minutes=1)
_DEFAULTS = GymDetails("", "", "UTC", 1)
_DAY_S = 24 * 3600


def _time_zone(name: str) -> str:
    if name not in time_zones():
        raise ValueError("must be a time zone of the IANA database, such as Europe/Berlin")
    return name


GymName = Annotated[str, StringConstraints(min_length=1, max_length=200), LINE]
Address = Annotated[str, StringConstraints(min_length=1, max_length=500), PARAGRAPHS]
TimeZone = Annotated[
    str, StringConstraints(max_length=64), AfterValidator(_time_zone), Field(examples=["Europe/Berlin"])
]
Capacity = Annotated[int, Field(ge=1, le=100_000, description="Maximum number of people inside.")]
Reentry = Annotated[
    int | None,
    Field(ge=0, le=_DAY_S, description="After this time another entry ends a forgotten visit; null: never."),
]
Grace = Annotated[int, Field(ge=0, le=_DAY_S, description="How long a visit may go on after closing.")]
LongestVisit = Annotated[int, Field(ge=60, le=7 * _DAY_S, description="A longer open visit counts as forgotten.")]
LongestUse = Annotated[int, Field(ge=60, le=_DAY_S, description="A longer machine use counts as forgotten.")]


class GymDocument(Document):
    """A gym. Times are in seconds; `number` is its id in the existing web client; `version` is its `ETag`."""

    id: UUID
    number: int = Field(validation_alias=AliasChoices("number", "legacy_number"))
    name: str
    address: str
    time_zone: str
    capacity: int
    reentry_after_s: int | None
    grace_after_closing_s: int
    longest_visit_s: int
    longest_use_s: int
    retired_at: datetime | None
    version: int


class NewGym(RequestBody):
    """A gym to create. Times are in seconds."""

    name: GymName
    address: Address
    time_zone: TimeZone
    capacity: Capacity
    reentry_after_s: Reentry = _DEFAULTS.reentry_after_s
    grace_after_closing_s: Grace = _DEFAULTS.grace_after_closing_s
    longest_visit_s: LongestVisit = _DEFAULTS.longest_visit_s
    longest_use_s: LongestUse = _DEFAULTS.longest_use_s

    def details(self) -> GymDetails:
        """The gym as a domain value."""
        return GymDetails(**self.model_dump())


class GymChanges(RequestBody):
    """Changes of a gym; a field that is left out stays as it is."""

    # The default values are never read: `changes` returns only the fields that were sent.
    name: GymName = Field(default_factory=str)
    address: Address = Field(default_factory=str)
    time_zone: TimeZone = Field(default_factory=str)
    capacity: Capacity = Field(default_factory=int)
    reentry_after_s: Reentry = Field(default_factory=int)
    grace_after_closing_s: Grace = Field(default_factory=int)
    longest_visit_s: LongestVisit = Field(default_factory=int)
    longest_use_s: LongestUse = Field(default_factory=int)

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        return self.model_dump(exclude_unset=True)


class OccupancyDocument(BaseModel):
    """The number of people inside a gym, and its capacity."""

    gym_id: UUID
    occupancy: int
    capacity: int
    as_of: datetime


Opens = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["06:00"])]
Closes = Annotated[
    str,
    Field(
        pattern=r"^([0-3]\d|4[0-7]):[0-5]\d$|^48:00$",
        examples=["22:00"],
        description="26:00 is two o'clock in the following night; at most 48:00.",
    ),
]


class HoursDocument(RequestBody):
    """Opening hours of a weekday; 0 is Monday. A weekday can occur several times."""

    weekday: int = Field(ge=0, le=6)
    opens: Opens
    closes: Closes


class ExceptionDocument(RequestBody):
    """Opening hours of one date, in place of those of its weekday. A date can occur several times."""

    day: Day
    closed: bool = False
    opens: Opens | None = None
    closes: Closes | None = None
    note: Annotated[str, StringConstraints(max_length=200), PARAGRAPHS] = ""

    @model_validator(mode="after")
    def closed_or_hours(self) -> Self:
        """Require either `closed`, or both times."""
        if self.closed != (self.opens is None) or self.closed != (self.closes is None):
            raise ValueError("must have either `closed: true`, or both `opens` and `closes`")
        return self


class NewOpeningHours(RequestBody):
    """The opening hours of a gym, in its own time zone. A gym without `hours` is open day and night."""

    hours: list[HoursDocument] = Field(max_length=70)
    exceptions: list[ExceptionDocument] = Field(default=[], max_length=400)

    def timetable(self) -> Timetable:
        """The opening hours as a domain value."""
        return Timetable(
            tuple(OpeningHours(one.weekday, _to_minutes(one.opens), _to_minutes(one.closes)) for one in self.hours),
            tuple(
                OpeningException(
                    one.day,
                    None if one.opens is None else _to_minutes(one.opens),
                    None if one.closes is None else _to_minutes(one.closes),
                    one.note,
                )
                for one in self.exceptions
            ),
        )


class OpeningHoursDocument(NewOpeningHours):
    """The opening hours of a gym. `next_change` is when `open_now` changes next; null: never."""

    gym_id: UUID
    time_zone: str
    open_now: bool
    next_change: datetime | None

    @classmethod
    def of(cls, found: GymHours, now: datetime) -> Self:
        """Convert the opening hours of a gym."""
        gym, week, days = found.gym, found.timetable.hours, found.timetable.exceptions
        return cls(
            hours=[
                HoursDocument(
                    weekday=one.weekday, opens=clock_time(one.opens_minute), closes=clock_time(one.closes_minute)
                )
                for one in week
            ],
            exceptions=[
                ExceptionDocument(
                    day=one.day,
                    closed=one.opens_minute is None,
                    opens=None if one.opens_minute is None else clock_time(one.opens_minute),
                    closes=None if one.closes_minute is None else clock_time(one.closes_minute),
                    note=one.note,
                )
                for one in days
            ],
            gym_id=gym.id,
            time_zone=gym.time_zone,
            open_now=is_open(week, days, gym.time_zone, now),
            next_change=change_after(week, days, gym.time_zone, now),
        )


def _to_minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


class GateDocument(Document):
    """A gate of a gym. `version` is its `ETag`."""

    id: UUID
    gym_id: UUID
    name: str
    serves: GateDirections
    created_at: datetime
    version: int


class NewGate(RequestBody):
    """A gate to create."""

    name: Name
    serves: GateDirections


class GateChanges(RequestBody):
    """Changes of a gate; a field that is left out stays as it is."""

    name: Name | None = None
    serves: GateDirections | None = None


class NewDeviceDocument(RequestBody):
    """A device to create."""

    name: Name


class DeviceDocument(Document):
    """A scanner at a gate. `last_seen_at` lags by some seconds; a fast clock has a positive `clock_skew_ms`."""

    id: UUID
    gate_id: UUID
    name: str
    created_at: datetime
    revoked_at: datetime | None
    last_seen_at: datetime | None
    clock_skew_ms: int | None


class CreatedDevice(DeviceDocument):
    """A new device with its credential, which no other response contains."""

    credential: str = Field(description="Send it as `Authorization: Device <credential>`.")

    @classmethod
    def of(cls, made: NewDevice) -> Self:
        """Convert a new device."""
        return cls.copy_of(made.device, credential=made.credential)


class GymDeviceDocument(DeviceDocument):
    """A device in use at a gym. `silent`: it has sent no request for a minute."""

    gate_name: str
    silent: bool

    @classmethod
    def of(cls, found: DeviceAtGate, now: datetime) -> Self:
        """Convert a device with its state at `now`."""
        seen = found.device.last_seen_at
        silent = seen is None or now - seen > SILENT_AFTER
        return cls.copy_of(found.device, gate_name=found.gate_name, silent=silent)


class NewPairing(RequestBody):
    """A device to pair."""

    name: Name


class PairingDocument(Document):
    """A pairing code that no device has used yet."""

    id: UUID
    gate_id: UUID
    name: str
    created_by: UUID
    created_at: datetime
    expires_at: datetime


class CreatedPairing(PairingDocument):
    """A new pairing with its code, which no other response contains."""

    code: str
    url: str = Field(description="Opens the pairing page with the code in the browser of the device.")
    qr_svg: str = Field(description="The URL as a QR code, in SVG.")

    @classmethod
    def of(cls, made: IssuedPairing) -> Self:
        """Convert a new pairing."""
        return cls.copy_of(made.pairing, code=made.code, url=made.url, qr_svg=made.qr_svg)


class PairingClaim(RequestBody):
    """The code that a device received."""

    code: str = Field(min_length=1, max_length=64, description="Case, spaces and dashes are ignored.")
