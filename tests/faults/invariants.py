"""What must hold whatever dies: one place for it, asked after every fault."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, select

from domain.door.model import Outcome, ScanAnswer
from domain.door.reconcile import disagreements
from domain.door.tables import open_visits, scans, visits
from domain.gyms.tables import gyms
from domain.unit_of_work import Store

Asked = tuple[str, UUID]


def assert_invariants(store: Store, given: Mapping[Asked, Sequence[ScanAnswer]]) -> None:
    """Hold what the store says against itself and against what doors were told.

    Args:
        store: the door's database.
        given: every answer that arrived at a door, by scan id and who asked.
    """
    with store.reading() as connection:
        _occupancy_is_open_visits(connection)
        _nobody_is_inside_twice(connection)
        _history_agrees_and_never_exceeds_capacity(connection)
        _every_answer_is_stored_as_given(connection, given)
    _the_same_scan_has_the_same_answer(given)


def _occupancy_is_open_visits(connection: Connection) -> None:
    assert disagreements(connection) == []
    counted = select(open_visits.c.gym_id, func.count()).group_by(open_visits.c.gym_id)
    lasting = (
        select(visits.c.gym_id, func.count())
        .where(visits.c.left_at.is_(None), visits.c.annulled_at.is_(None))
        .group_by(visits.c.gym_id)
    )
    assert _pairs(connection.execute(counted).all()) == _pairs(connection.execute(lasting).all())


def _nobody_is_inside_twice(connection: Connection) -> None:
    inside = connection.execute(select(open_visits.c.member_id)).scalars().all()
    assert len(inside) == len(set(inside))
    codes = connection.execute(
        select(visits.c.member_id, visits.c.pass_issued_at).where(visits.c.annulled_at.is_(None))
    ).all()
    assert len(codes) == len(set(codes)), "a code admitted twice"


def _history_agrees_and_never_exceeds_capacity(connection: Connection) -> None:
    """Play the stored scans again, in the order of their decisions, with no other rule than in and out."""
    capacity = _pairs(connection.execute(select(gyms.c.id, gyms.c.capacity)).all())
    where: dict[UUID, UUID] = {}
    inside: dict[UUID, set[UUID]] = defaultdict(set)
    accepted = connection.execute(
        select(scans)
        .where(scans.c.outcome != Outcome.REFUSED, scans.c.annulled_at.is_(None))
        .order_by(scans.c.decided_at, scans.c.id)
    )
    for scan in accepted:
        if scan.outcome == Outcome.ENTERED:
            inside[where.get(scan.member_id, scan.gym_id)].discard(scan.member_id)
            where[scan.member_id] = scan.gym_id
            inside[scan.gym_id].add(scan.member_id)
        elif where.get(scan.member_id) == scan.gym_id:
            inside[scan.gym_id].discard(scan.member_id)
            del where[scan.member_id]
        assert len(inside[scan.gym_id]) <= capacity[scan.gym_id], "more inside than the gym holds"
        assert scan.occupancy <= capacity[scan.gym_id]
    stored = connection.execute(select(open_visits.c.member_id, open_visits.c.gym_id)).all()
    assert _pairs(stored) == where


def _every_answer_is_stored_as_given(connection: Connection, given: Mapping[Asked, Sequence[ScanAnswer]]) -> None:
    rows = {(row.scan_id, row.asked_by): row for row in connection.execute(select(scans))}
    for asked, answers in given.items():
        assert asked in rows, f"{asked[0]} was answered and is not stored"
        row = rows[asked]
        if row.annulled_at is None:
            stored = (row.outcome, row.reason, row.gym_id, row.occupancy, row.decided_at)
            for a in answers:
                # A phone held up is given the words of the scan that it repeats.
                assert (a.outcome, a.reason, a.gym_id, a.occupancy, a.decided_at) == stored


def _the_same_scan_has_the_same_answer(given: Mapping[Asked, Sequence[ScanAnswer]]) -> None:
    for asked, answers in given.items():
        assert len({replace(answer, replayed=False) for answer in answers}) == 1, f"{asked[0]} has two answers"


def _pairs(rows: Iterable[Row[Any, Any]]) -> dict[Any, Any]:
    return {row[0]: row[1] for row in rows}
