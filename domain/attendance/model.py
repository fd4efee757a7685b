"""Reports on attendance, what their figures mean, and the facts that they are computed from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

SMALLEST_GROUP: Final = 5
"""Groups of fewer people are not broken down."""
BUSY_ABOVE: Final = (4, 5)
"""A gym is busy while more than this fraction of its capacity is inside."""


class Report(StrEnum):
    """Reports on attendance."""

    VISITS = "visits"
    HEAT_MAP = "heat_map"
    DWELL = "dwell"
    OCCUPANCY = "occupancy"
    TURNED_AWAY = "turned_away"
    MEMBERS = "members"
    MACHINES = "machines"


class Breakdown(StrEnum):
    """How the report on visits is divided."""

    HOUR = "hour"
    WEEKDAY = "weekday"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class FigureTable(StrEnum):
    """Facts that reports are made of. Each has rows of local days, or one row for all days of its window."""

    GYM_HOURS = "gym_hours"
    MEMBER_DAYS = "member_days"
    STAYS = "stays"
    REFUSALS = "refusals"
    MACHINE_HOURS = "machine_hours"
    MEMBER_PERIODS = "member_periods"
    STAY_PEOPLE = "stay_people"
    MACHINE_PEOPLE = "machine_people"

    @property
    def has_days(self) -> bool:
        """Whether a changed day changes only the rows of some days."""
        return self not in {FigureTable.MEMBER_PERIODS, FigureTable.STAY_PEOPLE, FigureTable.MACHINE_PEOPLE}


FIGURES_OF: Final[Mapping[Report, frozenset[FigureTable]]] = MappingProxyType(
    {
        Report.VISITS: frozenset({FigureTable.GYM_HOURS, FigureTable.MEMBER_DAYS, FigureTable.MEMBER_PERIODS}),
        Report.HEAT_MAP: frozenset({FigureTable.GYM_HOURS}),
        Report.DWELL: frozenset({FigureTable.STAYS, FigureTable.STAY_PEOPLE}),
        Report.OCCUPANCY: frozenset(),
        Report.TURNED_AWAY: frozenset({FigureTable.REFUSALS}),
        Report.MEMBERS: frozenset({FigureTable.MEMBER_PERIODS}),
        Report.MACHINES: frozenset({FigureTable.MACHINE_HOURS, FigureTable.MACHINE_PEOPLE, FigureTable.GYM_HOURS}),
    }
)
"""Facts that a report needs. The report on occupancy is about one day and reads the archive itself."""


@dataclass(frozen=True, slots=True)
class GymCalendar:
    """What the figures of a gym depend on besides its archive.

    Args:
        time_zone: IANA name; days and hours are local.
        capacity: today's; also used for the past.
    """

    gym_id: str
    time_zone: str
    capacity: int


@dataclass(frozen=True, slots=True)
class Window:
    """Local days that facts are computed for.

    Args:
        first_day, last_day: local days, both included.
        as_of: facts end here; who is inside then still is.
    """

    first_day: date
    last_day: date
    as_of: datetime

    @property
    def days(self) -> list[date]:
        """Every day of the window."""
        return [self.first_day + timedelta(days=number) for number in range((self.last_day - self.first_day).days + 1)]


DEFINITIONS: Final[Mapping[Report, Mapping[str, str]]] = MappingProxyType(
    {
        Report.VISITS: {
            "visits": "Visits that began in the period, by the gym's local time. Annulled visits do not count.",
            "members": "Different members among them. Visits without a member, added by head counts, are left out.",
            "first_visits": "Members among them who had never visited this gym before.",
            "visits_before": "Visits of the period of the same length that ends where this one begins.",
            "change": "(visits - visits_before) / visits_before; empty if there were none before.",
        },
        Report.HEAT_MAP: {
            "mean_inside": "Time that people spent inside in this hour of this weekday, divided by these hours.",
            "p90_inside": "In nine of ten of these hours the mean number inside was no higher (nearest rank).",
            "busy_share": "Share of the time during which more than 80 % of the capacity was inside.",
            "full_share": "Share of the time during which the capacity or more was inside.",
        },
        Report.DWELL: {
            "visits": "Ended visits that began in the period. Visits that go on are left out.",
            "median_minutes": "Half of these visits lasted no longer; whole minutes, rounded down.",
            "p90_minutes": "Nine of ten of these visits lasted no longer; whole minutes, rounded down.",
            "inferred": "Visits whose end nobody scanned; they have rows of their own.",
            "distribution": "Visits per quarter of an hour; the last step has no upper limit.",
        },
        Report.OCCUPANCY: {
            "min_inside": "Fewest people inside at any moment of the five minutes.",
            "mean_inside": "Time that people spent inside in the five minutes, divided by their length.",
            "max_inside": "Most people inside at any moment of the five minutes.",
        },
        Report.TURNED_AWAY: {
            "refusals": "Refused scans, without repeats of an answer and without annulled scans.",
            "people": "Different members among them; each refusal of an unknown person counts as one.",
            "lost_visits": "Members refused as gym_full who did not enter later on the same local day; once a day.",
        },
        Report.MEMBERS: {
            "visits": "Visits that began in the month.",
            "days_since_last": "Days from the local day of the last visit to the last day of the period.",
            "pays_and_does_not_come": "A paying member without a visit for 30 days, or ever.",
            "cohort": "Members by the month in which they joined; without that date, the month of their first visit.",
            "active_share": "Members of the cohort with at least one visit in the month, divided by all of the cohort.",
            "rhythm_days": "Mean number of days between days with a visit, over the six months until the last day; "
            "from six such days on.",
            "broken_rhythm": "Nothing for more than three times rhythm_days, and for at least 14 days.",
        },
        Report.MACHINES: {
            "uses": "Uses that began in the hour.",
            "minutes_used": "Time in use during the hour.",
            "minutes_per_use": "Time in use divided by the number of uses, over the period.",
            "used_share": "Time in use divided by the time during which somebody was inside the gym.",
            "idle": "In use for less than 5 % of that time.",
            "overloaded": "In use for more than 80 % of that time.",
        },
    }
)
"""What each figure of a report means, in words. Answers and exports contain these."""
