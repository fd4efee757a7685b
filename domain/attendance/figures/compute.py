"""Computes facts of some gyms for some local days."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from domain.attendance.calendar import day_begins_at, local_clock
from domain.attendance.figures.gym_hours import gym_hours
from domain.attendance.figures.machines import machine_hours, machine_people
from domain.attendance.figures.members import member_days, member_periods
from domain.attendance.figures.refusals import refusals
from domain.attendance.figures.stays import stay_people, stays
from domain.attendance.model import FigureTable, GymCalendar, Window


@dataclass(frozen=True, slots=True)
class ArchiveFrames:
    """Current facts of the archive, each once, without annulled ones. Rows of other gyms are ignored.

    Args:
        visits: every visit that touches the window.
        scans: every scan of the window.
        machine_uses: every use that touches the window.
    """

    visits: pl.DataFrame
    scans: pl.DataFrame
    machine_uses: pl.DataFrame


def compute_figures(
    tables: Collection[FigureTable], frames: ArchiveFrames, gyms: Sequence[GymCalendar], window: Window
) -> Mapping[FigureTable, pl.DataFrame]:
    """Facts of these gyms for the window's days.

    Args:
        tables: which facts.
    """
    ids = pl.Enum(sorted(gym.gym_id for gym in gyms))
    chosen = ArchiveFrames(*(_of_gyms(frame, ids) for frame in (frames.visits, frames.scans, frames.machine_uses)))
    zones: dict[str, list[GymCalendar]] = defaultdict(list)
    for gym in gyms:
        zones[gym.time_zone].append(gym)
    computed: dict[FigureTable, list[pl.DataFrame]] = {table: [] for table in FigureTable if table in tables}
    for zone, members in sorted(zones.items()):
        of_zone = chosen if len(zones) == 1 else _of_zone(chosen, members)
        facts = _Zone(of_zone, members, ids, zone, window)
        for table, frames_of_zones in computed.items():
            found = facts.fact(table)
            if found.width:
                frames_of_zones.append(found)
    return {
        table: pl.concat(found).with_columns(pl.col("gym_id").cast(pl.String)) if found else pl.DataFrame()
        for table, found in computed.items()
    }


class _Zone:
    """The gyms of one time zone."""

    def __init__(
        self, frames: ArchiveFrames, gyms: Sequence[GymCalendar], ids: pl.Enum, time_zone: str, window: Window
    ) -> None:
        self._frames, self._zone, self._window = frames, time_zone, window
        self._clock = local_clock(time_zone, window.first_day, window.last_day)
        self._gyms = pl.DataFrame(
            {"gym_id": [gym.gym_id for gym in gyms], "capacity": [gym.capacity for gym in gyms]},
            schema={"gym_id": ids, "capacity": pl.Int64},
        )

    def fact(self, table: FigureTable) -> pl.DataFrame:
        compute: Mapping[FigureTable, Callable[[], pl.DataFrame]] = {
            FigureTable.GYM_HOURS: lambda: gym_hours(
                self._frames.visits, self._gyms, self._zone, self._clock, self._window
            ),
            FigureTable.MEMBER_DAYS: lambda: member_days(self._began(), self._clock),
            FigureTable.MEMBER_PERIODS: lambda: member_periods(self._began(), self._clock),
            FigureTable.STAYS: lambda: stays(self._began(), self._clock),
            FigureTable.STAY_PEOPLE: lambda: stay_people(self._began()),
            FigureTable.REFUSALS: lambda: refusals(self._within(self._frames.scans, "decided_at"), self._clock),
            FigureTable.MACHINE_HOURS: lambda: machine_hours(
                self._frames.machine_uses, self._zone, self._clock, self._window
            ),
            FigureTable.MACHINE_PEOPLE: lambda: machine_people(
                self._frames.machine_uses, self._zone, self._clock, self._window
            ),
        }
        return compute[table]()

    def _began(self) -> pl.DataFrame:
        return self._within(self._frames.visits, "entered_at")

    def _within(self, frame: pl.DataFrame, moment: str) -> pl.DataFrame:
        begin = day_begins_at(self._zone, self._window.first_day)
        end = day_begins_at(self._zone, self._window.last_day + timedelta(days=1))
        return frame.filter(pl.col(moment).is_between(begin, end, closed="left"))


def _of_gyms(frame: pl.DataFrame, ids: pl.Enum) -> pl.DataFrame:
    """The rows of these gyms; ids become small integers inside Polars."""
    return frame.with_columns(pl.col("gym_id").cast(ids, strict=False)).filter(pl.col("gym_id").is_not_null())


def _of_zone(frames: ArchiveFrames, gyms: Sequence[GymCalendar]) -> ArchiveFrames:
    is_here = pl.col("gym_id").is_in([gym.gym_id for gym in gyms])
    return ArchiveFrames(*(frame.filter(is_here) for frame in (frames.visits, frames.scans, frames.machine_uses)))
