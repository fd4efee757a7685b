"""Compares open visits, visits, scans and uses of machines with each other. Reads only; it repairs nothing."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from domain.door.model import Outcome
from domain.door.tables import machine_uses, open_machine_uses, open_visits, scans, visits


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
    is_open = visits.c.left_at.is_(None) & visits.c.annulled_at.is_(None)
    joined = open_visits.outerjoin(visits, visits.c.id == open_visits.c.visit_id)
    found = [
        TableDisagreement(kind, gym_id, f"{what} {id_}")
        for kind, what, query in (
            (
                DisagreementKind.OPEN_WITHOUT_VISIT,
                "open visit without its visit:",
                select(open_visits.c.gym_id, open_visits.c.visit_id).select_from(joined).where(visits.c.id.is_(None)),
            ),
            (
                DisagreementKind.OPEN_BUT_ENDED,
                "still counted as inside, though it ended or was annulled: visit",
                select(open_visits.c.gym_id, open_visits.c.visit_id)
                .select_from(joined)
                .where(or_(visits.c.left_at.is_not(None), visits.c.annulled_at.is_not(None))),
            ),
            (
                DisagreementKind.OPEN_DIFFERS_FROM_VISIT,
                "open visit names another gym, member or entry than its visit:",
                select(open_visits.c.gym_id, open_visits.c.visit_id)
                .select_from(joined)
                .where(
                    or_(
                        open_visits.c.gym_id != visits.c.gym_id,
                        _differ(open_visits.c.member_id, visits.c.member_id),
                        open_visits.c.entered_at != visits.c.entered_at,
                    )
                ),
            ),
            (
                DisagreementKind.VISIT_NOT_OPEN,
                "not ended, yet not counted as inside: visit",
                select(visits.c.gym_id, visits.c.id).where(
                    is_open, ~exists().where(open_visits.c.visit_id == visits.c.id)
                ),
            ),
            (
                DisagreementKind.ENTRY_WITHOUT_VISIT,
                "let somebody in without a visit: scan",
                select(scans.c.gym_id, scans.c.id).where(
                    scans.c.outcome == Outcome.ENTERED,
                    scans.c.annulled_at.is_(None),
                    scans.c.offline.is_(None),  # such a one may have fitted nowhere: a conflict
                    ~exists().where(
                        and_(
                            visits.c.id == scans.c.visit_id,
                            visits.c.gym_id == scans.c.gym_id,
                            visits.c.annulled_at.is_(None),
                        )
                    ),
                ),
            ),
            (
                DisagreementKind.VISIT_WITHOUT_ENTRY,
                "begun by a scan that was annulled or let nobody in: visit",
                select(visits.c.gym_id, visits.c.id)
                .outerjoin(scans, scans.c.id == visits.c.entered_scan)
                .where(
                    visits.c.entered_scan.is_not(None),
                    visits.c.annulled_at.is_(None),
                    or_(scans.c.id.is_(None), scans.c.outcome != Outcome.ENTERED, scans.c.annulled_at.is_not(None)),
                ),
            ),
            (
                DisagreementKind.ENTRY_NOT_COUNTED,
                "let somebody in again after their visit had ended: scan",
                select(scans.c.gym_id, scans.c.id)
                .join(visits, visits.c.id == scans.c.visit_id)
                .where(
                    scans.c.outcome == Outcome.ENTERED,
                    scans.c.annulled_at.is_(None),
                    scans.c.repeats_id.is_not(None),
                    visits.c.left_at < scans.c.decided_at,
                ),
            ),
            (
                DisagreementKind.USE_OUTSIDE,
                "a machine is used during a visit that is not open: use",
                select(open_machine_uses.c.gym_id, open_machine_uses.c.use_id).where(
                    ~exists().where(
                        and_(
                            open_visits.c.visit_id == open_machine_uses.c.visit_id,
                            open_visits.c.member_id == open_machine_uses.c.member_id,
                            open_visits.c.gym_id == open_machine_uses.c.gym_id,
                        )
                    )
                ),
            ),
            (
                DisagreementKind.USE_BUT_ENDED,
                "a machine is not free, though its use ended or never was: use",
                select(open_machine_uses.c.gym_id, open_machine_uses.c.use_id).where(
                    ~exists().where(
                        and_(machine_uses.c.id == open_machine_uses.c.use_id, machine_uses.c.ended_at.is_(None))
                    )
                ),
            ),
        )
        for gym_id, id_ in connection.execute(query)
    ]
    twice = connection.execute(
        select(visits.c.member_id, func.count())
        .where(is_open, visits.c.member_id.is_not(None))
        .group_by(visits.c.member_id)
        .having(func.count() > 1)
    )
    return found + [
        TableDisagreement(
            DisagreementKind.INSIDE_TWICE, None, f"member {member_id} has {count} visits that have not ended"
        )
        for member_id, count in twice
    ]


def _differ(left: ColumnElement[UUID | None], right: ColumnElement[UUID | None]) -> ColumnElement[bool]:
    return or_(left != right, left.is_(None) != right.is_(None))
