"""Writes versions of visits into an archive of a test."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
from deltalake import DeltaTable, write_deltalake

from deployments.attendance.groups import compute_group
from deployments.attendance.plan import FigureRequest, Plan, make_plan
from domain.attendance.model import FigureTable
from integrations.archive.schema import DAY, SCANS, VISITS


@dataclass(frozen=True, slots=True)
class VisitState:
    """A visit as it stands."""

    visit_id: str
    gym_id: str
    entered_at: datetime
    left_at: datetime | None = None
    member_key: int | None = None
    inferred: str | None = None
    annulled: bool = False


class ArchiveWriter:
    """Appends versions as the archive's consumer does: one partition, offsets in order."""

    def __init__(self, folder: Path) -> None:
        self.url = str(folder)
        self._offset = 0
        DeltaTable.create(VISITS.url(self.url), VISITS.delta_schema, partition_by=[DAY])

    def append(self, visits: Iterable[VisitState], *, event_id: str | None = None) -> None:
        rows = []
        for visit in visits:
            self._offset += 1
            rows.append(_row(visit, 1, self._offset, event_id or f"event-{self._offset}"))
        write_deltalake(VISITS.url(self.url), _frame(rows), mode="append")

    def append_scan(self, scan_id: str, gym_id: str, at: datetime, reason: str) -> None:
        self._offset += 1
        row: dict[str, object] = dict.fromkeys(SCANS.columns) | {
            "source": 1, "partition": 0, "offset": self._offset, "event_id": scan_id, "annulled": False,
            "scan_id": scan_id, "gym_id": gym_id, "outcome": "refused", "reason": reason, "offline": False,
            "arrived_at": at, "decided_at": at, "repeat": False,
        }  # fmt: skip
        frame = SCANS.with_day(pl.DataFrame([row], schema=dict(SCANS.columns)))
        write_deltalake(SCANS.url(self.url), frame, mode="append", partition_by=[DAY])

    def rewrite_day(self, visits: Iterable[VisitState], day: datetime) -> None:
        """Replace a day by what the database has."""
        rows = [_row(visit, 0, 1, None) for visit in visits]
        predicate = f"{DAY} = '{day:%Y-%m-%d}'"
        write_deltalake(VISITS.url(self.url), _frame(rows), mode="overwrite", predicate=predicate)


def moved(visit: VisitState, by: timedelta) -> list[VisitState]:
    """The versions of a visit that began at another time: it is annulled on its former day if that is another one."""
    now = replace(visit, entered_at=visit.entered_at + by)
    if now.entered_at.date() == visit.entered_at.date():
        return [now]
    return [replace(visit, annulled=True), now]


def computed(request: FigureRequest) -> tuple[Plan, dict[FigureTable, pl.DataFrame]]:
    """Compute what a plan contains, in this process, and return all figures of the request."""
    plan = make_plan(request)
    for group in plan.groups:
        compute_group(group)
    return plan, {
        table: pl.concat(request.store.read(path) for path in paths).pipe(in_order)
        for table, paths in plan.paths.items()
        if paths
    }


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort(frame.columns, nulls_last=True)


def _frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    return VISITS.with_day(pl.DataFrame(rows, schema=dict(VISITS.columns)))


def _row(visit: VisitState, source: int, offset: int, event_id: str | None) -> dict[str, object]:
    return {
        "source": source,
        "partition": 0,
        "offset": offset,
        "event_id": event_id,
        "annulled": visit.annulled,
        "visit_id": visit.visit_id,
        "gym_id": visit.gym_id,
        "member_key": visit.member_key,
        "entered_at": visit.entered_at,
        "left_at": visit.left_at,
        "inferred": visit.inferred,
    }
