"""Gyms and gates as they are set up and changed, as JSON."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from deployments.gateway.schemas import Name
from deployments.http.request_body import RequestBody
from deployments.http.text import LINE, PARAGRAPHS
from domain.gyms.model import GymDetails, Serves
from domain.gyms.rules import time_zones

_USUAL = GymDetails("", "", "UTC", 1)  # for its defaults
_DAY_S = 24 * 3600


def _known_zone(name: str) -> str:
    if name not in time_zones():
        raise ValueError("is no time zone of the IANA's database; write it as in Europe/Berlin")
    return name


GymName = Annotated[str, StringConstraints(min_length=1, max_length=200), LINE]
Address = Annotated[str, StringConstraints(min_length=1, max_length=500), PARAGRAPHS]
TimeZone = Annotated[
    str, StringConstraints(max_length=64), AfterValidator(_known_zone), Field(examples=["Europe/Berlin"])
]
Capacity = Annotated[int, Field(ge=1, le=100_000, description="How many may be inside at once.")]
Reentry = Annotated[
    int | None,
    Field(ge=0, le=_DAY_S, description="So long after an entry another one ends a forgotten visit; null: never."),
]
Grace = Annotated[int, Field(ge=0, le=_DAY_S, description="How long after closing somebody may still be inside.")]
LongestVisit = Annotated[int, Field(ge=60, le=7 * _DAY_S, description="A visit open for longer was forgotten.")]
LongestUse = Annotated[int, Field(ge=60, le=_DAY_S, description="A machine in use for longer was forgotten.")]


class NewGym(RequestBody):
    """A gym to be set up. Times in seconds."""

    name: GymName
    address: Address
    time_zone: TimeZone
    capacity: Capacity
    reentry_after_s: Reentry = _USUAL.reentry_after_s
    grace_after_closing_s: Grace = _USUAL.grace_after_closing_s
    longest_visit_s: LongestVisit = _USUAL.longest_visit_s
    longest_use_s: LongestUse = _USUAL.longest_use_s

    def details(self) -> GymDetails:
        """The same, inside."""
        return GymDetails(**self.model_dump())


class GymChanges(RequestBody):
    """What is to change of a gym; what is left out stays."""

    # The values in place of what is left out are never read.
    name: GymName = Field(default_factory=str)
    address: Address = Field(default_factory=str)
    time_zone: TimeZone = Field(default_factory=str)
    capacity: Capacity = Field(default_factory=int)
    reentry_after_s: Reentry = Field(default_factory=int)
    grace_after_closing_s: Grace = Field(default_factory=int)
    longest_visit_s: LongestVisit = Field(default_factory=int)
    longest_use_s: LongestUse = Field(default_factory=int)

    def changes(self) -> dict[str, Any]:
        """What was sent."""
        return self.model_dump(exclude_unset=True)


class GateChanges(RequestBody):
    """What is to change of a gate; what is left out stays."""

    name: Name | None = None
    serves: Serves | None = None
