"""Periods of whole days, and the days that several periods cover."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The days `[start, end)`.

    Raises:
        ValueError: the period would be empty.
    """

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError(f"no day between {self.start} and {self.end}")

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.end - self.start).days

    def cut(self, start: date, end: date) -> "Period | None":
        """The part of the period within `[start, end)`; None if there is none."""
        first, last = max(self.start, start), min(self.end, end)
        return Period(first, last) if first < last else None


def days_from(start: date, days: int) -> Period:
    """The period of so many days from a day on."""
    return Period(start, start + timedelta(days=days))


class CoverageError(ValueError):
    """A day was granted twice, or taken back without a grant: the entries contradict each other."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Covered days, as ordered periods that do not touch."""

    periods: tuple[Period, ...] = ()

    @property
    def end(self) -> date | None:
        """The first day after all covered days."""
        return self.periods[-1].end if self.periods else None

    def with_(self, period: Period) -> "Coverage":
        """The coverage with one more period.

        Raises:
            CoverageError: a part of the period is already covered.
        """
        if self.within(period.start, period.end):
            raise CoverageError(f"{period.start} to {period.end} is covered in part already")
        return Coverage(_joined([*self.periods, period]))

    def without(self, period: Period) -> "Coverage":
        """The coverage without a period.

        Raises:
            CoverageError: a part of the period is not covered.
        """
        if sum(part.days for part in self.within(period.start, period.end)) != period.days:
            raise CoverageError(f"{period.start} to {period.end} is not covered throughout")
        left: list[Period] = []
        for each in self.periods:
            left += filter(None, (each.cut(each.start, period.start), each.cut(period.end, each.end)))
        return Coverage(tuple(left))

    def within(self, start: date, end: date) -> list[Period]:
        """The covered parts of `[start, end)`."""
        return [part for each in self.periods if start < end and (part := each.cut(start, end))]

    def days(self) -> int:
        """The number of covered days."""
        return sum(each.days for each in self.periods)

    def days_before(self, day: date) -> int:
        """The number of covered days before a day."""
        return sum(part.days for each in self.periods if (part := each.cut(date.min, day)))

    def last(self, days: int, not_before: date) -> list[Period]:
        """The last covered days, in order, none of them before `not_before`.

        Raises:
            CoverageError: fewer days are covered.
        """
        found: list[Period] = []
        for each in reversed(self.within(not_before, date.max)):
            if days == 0:
                break
            part = Period(max(each.start, each.end - timedelta(days=days)), each.end)
            found.insert(0, part)
            days -= part.days
        if days:
            raise CoverageError(f"{days} days too few are covered from {not_before} on")
        return found


def _joined(periods: Iterable[Period]) -> tuple[Period, ...]:
    joined: list[Period] = []
    for each in sorted(periods):
        if joined and joined[-1].end == each.start:
            joined[-1] = Period(joined[-1].start, each.end)
        else:
            joined.append(each)
    return tuple(joined)
