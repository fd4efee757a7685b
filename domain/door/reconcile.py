"""Compares open visits, visits, scans and machine uses with each other. Reads only; it repairs nothing."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection

from domain.door.consistency_repository import ConsistencyRepository


class DisagreementKind(StrEnum):
    """How the tables can contradict each other."""

    OPEN_WITHOUT_VISIT = "open_without_visit"
    OPEN_BUT_ENDED = "open_but_ended"
    OPEN_DIFFERS_FROM_VISIT = "open_differs_from_visit"
    VISIT_NOT_OPEN = "visit_not_open"
    ENTRY_WITHOUT_VISIT = "entry_without_visit"
    VISIT_WITHOUT_ENTRY = "visit_without_entry"
    ENTRY_NOT_COUNTED = "entry_not_counted"
    INSIDE_TWICE = "inside_twice"
    USE_OUTSIDE = "use_outside"
    USE_BUT_ENDED = "use_but_ended"


@dataclass(frozen=True, slots=True)
class TableDisagreement:
    """A contradiction between two tables."""

    kind: DisagreementKind
    gym_id: UUID | None
    detail: str


def disagreements(connection: Connection) -> list[TableDisagreement]:
    """Find every contradiction between the tables of the door. An empty list means that the data is consistent."""
    tables = ConsistencyRepository(connection)
    kinds = DisagreementKind
    found = (
        (kinds.OPEN_WITHOUT_VISIT, "open visit without its visit:", tables.open_without_visit()),
        (
            kinds.OPEN_BUT_ENDED,
            "still counted as inside, though it ended or was annulled: visit",
            tables.open_but_ended(),
        ),
        (
            kinds.OPEN_DIFFERS_FROM_VISIT,
            "open visit has another gym, member or entry than its visit:",
            tables.open_differs_from_visit(),
        ),
        (kinds.VISIT_NOT_OPEN, "not ended, yet not counted as inside: visit", tables.visits_not_open()),
        (kinds.ENTRY_WITHOUT_VISIT, "admitted somebody without a visit: scan", tables.entries_without_visit()),
        (
            kinds.VISIT_WITHOUT_ENTRY,
            "began with a scan that was annulled or admitted nobody: visit",
            tables.visits_without_entry(),
        ),
        (
            kinds.ENTRY_NOT_COUNTED,
            "admitted somebody again after their visit had ended: scan",
            tables.entries_not_counted(),
        ),
        (kinds.USE_OUTSIDE, "a machine is used during a visit that is not open: use", tables.uses_outside()),
        (
            kinds.USE_BUT_ENDED,
            "a machine is not free, though its use has ended or does not exist: use",
            tables.uses_ended(),
        ),
    )
    return [
        TableDisagreement(kind, gym_id, f"{what} {row_id}") for kind, what, rows in found for gym_id, row_id in rows
    ] + [
        TableDisagreement(kinds.INSIDE_TWICE, None, f"member {member_id} has {count} visits that have not ended")
        for member_id, count in tables.members_inside_twice()
    ]
