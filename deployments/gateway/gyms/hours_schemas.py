"""Opening hours as JSON."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from deployments.http.calendar_days import Day
from deployments.http.request_body import RequestBody
from deployments.http.text import PARAGRAPHS
from domain.gyms.opening_hours import OpeningException, OpeningHours, change_after, is_open
from domain.gyms.timetable import GymHours, Timetable, clock_time

Opens = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["06:00"])]
Closes = Annotated[
    str,
    Field(
        pattern=r"^([0-3]\d|4[0-7]):[0-5]\d$|^48:00$",
        examples=["22:00"],
        description="26:00 is two in the night after; at most 48:00.",
    ),
]


class HoursDocument(RequestBody):
    """One span of one weekday; 0 is Monday."""

    weekday: int = Field(ge=0, le=6)
    opens: Opens
    closes: Closes


class ExceptionDocument(RequestBody):
    """A day that is not as its weekday is: closed, or open for a span. A day of several spans is named for each."""

    day: Day
    closed: bool = False
    opens: Opens | None = None
    closes: Closes | None = None
    note: Annotated[str, StringConstraints(max_length=200), PARAGRAPHS] = ""

    @model_validator(mode="after")
    def one_of_both(self) -> Self:
        """Closed, or from when to when."""
        if self.closed != (self.opens is None) or self.closed != (self.closes is None):
            raise ValueError("says either `closed: true`, or `opens` and `closes`")
        return self


class NewOpeningHours(RequestBody):
    """When a gym is open, in its own time zone. Without `hours` it is open day and night."""

    hours: list[HoursDocument] = Field(max_length=70)
    exceptions: list[ExceptionDocument] = Field(default=[], max_length=400)

    def timetable(self) -> Timetable:
        """The same, inside."""
        return Timetable(
            tuple(OpeningHours(span.weekday, _minute(span.opens), _minute(span.closes)) for span in self.hours),
            tuple(
                OpeningException(
                    one.day,
                    None if one.opens is None else _minute(one.opens),
                    None if one.closes is None else _minute(one.closes),
                    one.note,
                )
                for one in self.exceptions
            ),
        )


class OpeningHoursDocument(NewOpeningHours):
    """When a gym is open, and how it stands now. `next_change` is when that ends; null: never."""

    gym_id: UUID
    time_zone: str
    open_now: bool
    next_change: datetime | None

    @classmethod
    def of(cls, found: GymHours, now: datetime) -> Self:
        """The document of a gym's hours."""
        gym, week, days = found.gym, found.timetable.hours, found.timetable.exceptions
        return cls(
            hours=[
                HoursDocument(
                    weekday=span.weekday, opens=clock_time(span.opens_minute), closes=clock_time(span.closes_minute)
                )
                for span in week
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


def _minute(shown: str) -> int:
    hours, minutes = shown.split(":")
    return int(hours) * 60 + int(minutes)
