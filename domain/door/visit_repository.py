"""Visits in the database: new ones, ended ones, and those that a head count or a limit ends.

The gym is locked before. Only the statements on the path of a scan are SQL text.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from msgspec import json
from sqlalchemy import ColumnElement, Connection, func, insert, select

from domain.door.events import TOPIC
from domain.door.lock_repository import LockRepository
from domain.door.machine_use_repository import MachineUseRepository
from domain.door.model import EndVisitRequest, HeadCountAnswer, HeadCountRequest, Inferred
from domain.door.state import LockedGym, VisitEnd, VisitRow
from domain.door.tables import head_counts, open_machine_uses, open_visits
from domain.door.visit_rules import (
    EndVisitState,
    ForgottenState,
    HeadCountRow,
    HeadCountState,
    InsideVisit,
    StayLimits,
    VisitChanges,
)
from domain.gyms.hours_repository import HoursRepository
from domain.gyms.tables import gyms
from domain.outbox import store_events
from domain.sql_literals import id_literal, id_literals, instant_literal, word_literal

T = TypeVar("T")

_CHUNK = 500  # rows in one statement
_COLUMNS = "id, gym_id, member_id, gate_id, pass_issued_at, entered_at, entered_scan, left_at, left_scan, inferred"
_OPEN_COLUMNS = "visit_id, gym_id, member_id, entered_at"


class VisitRepository:
    """Loads and saves visits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._by_key = "" if self._is_sqlite else " FORCE INDEX (PRIMARY)"

    def load_end_visit(self, request: EndVisitRequest) -> EndVisitState:
        """Load what ending a member's visit needs; the member is locked before."""
        row = self._connection.execute(
            select(open_visits.c.visit_id, open_visits.c.entered_at).where(
                open_visits.c.member_id == request.member_id, open_visits.c.gym_id == request.gym_id
            )
        ).one_or_none()
        visit = InsideVisit(row.visit_id, request.member_id, row.entered_at) if row is not None else None
        occupancy = self.occupancy(request.gym_id)
        return EndVisitState(occupancy, visit, MachineUseRepository(self._connection).use_of(request.member_id))

    def load_head_count(self, request: HeadCountRequest, gym: LockedGym) -> HeadCountState:
        """Load what a head count needs, and lock the members whose visits would end."""
        stored = self._stored_count(request, gym)
        if stored is not None:
            return HeadCountState(stored)
        occupancy = self.occupancy(request.gym_id)
        number = max(0, occupancy - request.counted)
        surplus = self._oldest(request.gym_id, number)
        # Another gym may have ended one of these visits before its member was locked.
        is_locked = self._lock_members(surplus) == surplus == self._oldest(request.gym_id, number)
        uses = MachineUseRepository(self._connection).uses_at(request.gym_id)
        return HeadCountState(None, occupancy, surplus, is_locked, uses)

    def load_forgotten(self, gym_id: UUID, now: datetime) -> ForgottenState:
        """Load what is over its limits at a gym, and lock the members.

        Members whom another transaction has locked are left out until the next time.
        """
        limits = self.stay_limits(gym_id)
        assert limits is not None  # noqa: S101 - the gym is locked, so it exists
        over = [
            InsideVisit(row.visit_id, row.member_id, row.entered_at)
            for row in self._connection.execute(select(open_visits).where(open_visits.c.gym_id == gym_id))
            if limits.visit_over_at(row.entered_at) <= now
        ]
        uses = MachineUseRepository(self._connection).uses_at(gym_id)
        long_uses = [use for use in uses if use.started_at < now - limits.longest_use]
        # To lock their members only.
        of_long_uses = [InsideVisit(use.visit_id, use.member_id, use.started_at) for use in long_uses]
        # A use ends in this gym, whose row is locked, or together with its visit.
        still_open = self._still_open(self._lock_members([*over, *of_long_uses]))
        visits = [visit for visit in over if visit.visit_id in still_open]
        ending = {visit.visit_id for visit in visits}
        return ForgottenState(
            visits,
            [use for use in uses if use.visit_id in ending],
            [use for use in long_uses if use.visit_id in still_open - ending],
        )

    def save(self, changes: VisitChanges, now: datetime) -> None:
        """Write what a decision changed."""
        for chunk in _chunks(changes.ended_visits):
            self._end_by_rule([visit.visit_id for visit in chunk], changes.inferred, now)
        for rows in _chunks(changes.new_visits):
            self.add(rows)
        MachineUseRepository(self._connection).end(changes.ended_uses)
        if changes.head_count is not None:
            self._add_head_count(changes.head_count)
        for events in _chunks(changes.events):
            store_events(self._connection, TOPIC, [(event.gym_id, event) for event in events], now)

    def occupancy(self, gym_id: UUID) -> int:
        """Number of open visits at a gym."""
        query = select(func.count()).select_from(open_visits).where(open_visits.c.gym_id == gym_id)
        return self._connection.execute(query).scalar_one()

    def stay_limits(self, gym_id: UUID) -> StayLimits | None:
        """The limits of visits and uses at a gym; None: no such gym."""
        row = self._connection.execute(
            select(gyms.c.longest_visit_s, gyms.c.grace_after_closing_s, gyms.c.longest_use_s, gyms.c.time_zone).where(
                gyms.c.id == gym_id
            )
        ).one_or_none()
        if row is None:
            return None
        return StayLimits(
            timedelta(seconds=row.longest_visit_s),
            timedelta(seconds=row.grace_after_closing_s),
            timedelta(seconds=row.longest_use_s),
            row.time_zone,
            HoursRepository(self._connection).of(gym_id),
        )

    def oldest_visits(self) -> dict[UUID, datetime]:
        """When the oldest open visit of each gym began."""
        return self._oldest_of_each_gym(open_visits.c.gym_id, open_visits.c.entered_at)

    def oldest_uses(self) -> dict[UUID, datetime]:
        """When the oldest open use of a machine began, for each gym."""
        return self._oldest_of_each_gym(open_machine_uses.c.gym_id, open_machine_uses.c.started_at)

    def add(self, new: Sequence[VisitRow]) -> None:
        """Write new visits; those that have not ended are open."""
        if not new:
            return
        rows = ",".join([f"({_literals(visit)})" for visit in new])
        self._connection.exec_driver_sql(f"INSERT INTO visits ({_COLUMNS}) VALUES {rows}")  # noqa: S608
        opened = ",".join([f"({_open_literals(visit)})" for visit in new if visit.left_at is None])
        if opened:
            self._connection.exec_driver_sql(f"INSERT INTO open_visits ({_OPEN_COLUMNS}) VALUES {opened}")  # noqa: S608

    def end(self, ends: Sequence[VisitEnd]) -> None:
        """End visits by scans."""
        if not ends:
            return
        ids = [end.visit_id for end in ends]
        self._connection.exec_driver_sql(
            f"UPDATE visits{self._by_key}"  # noqa: S608
            f" SET left_at = {_case({end.visit_id: instant_literal(end.left_at) for end in ends})},"
            f" left_scan = {_case({end.visit_id: id_literal(end.left_scan) for end in ends})},"
            f" inferred = {_case({end.visit_id: word_literal(end.inferred) for end in ends})}"
            f" WHERE id IN ({id_literals(ids)})"
        )
        self.close(ids)

    def close(self, visit_ids: Collection[UUID]) -> None:
        """Delete the rows of open visits."""
        if not visit_ids:
            return
        if self._is_sqlite:
            self._connection.exec_driver_sql(f"DELETE FROM open_visits WHERE visit_id IN ({id_literals(visit_ids)})")  # noqa: S608
            return
        # Each row is found by its key: with `IN (…)` the server reads rows beside these, and waits for transactions
        # that have written them.
        self._connection.exec_driver_sql(
            "DELETE o FROM JSON_TABLE(%s, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS ended"
            " STRAIGHT_JOIN open_visits AS o FORCE INDEX (PRIMARY) WHERE o.visit_id = UNHEX(ended.id)",
            (json.encode([visit_id.hex for visit_id in visit_ids]).decode(),),
        )

    def _end_by_rule(self, visit_ids: Sequence[UUID], inferred: Inferred | None, left_at: datetime) -> None:
        """End visits at one moment by a rule, and store the rule beside the end.

        A later scan or upload may change the end, but not the rule. A visit that began later, by the clock of another
        server, ends as it begins.
        """
        moment, word = instant_literal(left_at), word_literal(inferred)
        moment = f"CASE WHEN entered_at > {moment} THEN entered_at ELSE {moment} END"
        self._connection.exec_driver_sql(
            f"UPDATE visits{self._by_key} SET left_at = {moment}, left_scan = NULL, inferred = {word},"  # noqa: S608
            f" rule_ended_at = {moment}, rule = {word} WHERE id IN ({id_literals(visit_ids)})"
        )
        self.close(visit_ids)

    def _oldest(self, gym_id: UUID, number: int) -> list[InsideVisit]:
        if not number:
            return []
        rows = self._connection.execute(
            select(open_visits.c.visit_id, open_visits.c.member_id, open_visits.c.entered_at)
            .where(open_visits.c.gym_id == gym_id)
            .order_by(open_visits.c.entered_at, open_visits.c.visit_id)
            .limit(number)
        )
        return [InsideVisit(*row) for row in rows]

    def _lock_members(self, inside: Sequence[InsideVisit]) -> list[InsideVisit]:
        """Lock the members of visits, as another gym may let them in; without those that are locked already."""
        member_ids = {visit.member_id for visit in inside if visit.member_id is not None}
        locked = LockRepository(self._connection).members(member_ids)
        return [visit for visit in inside if visit.member_id is None or visit.member_id in locked]

    def _still_open(self, inside: Sequence[InsideVisit]) -> set[UUID]:
        rows = self._connection.execute(
            select(open_visits.c.visit_id).where(open_visits.c.visit_id.in_([visit.visit_id for visit in inside]))
        )
        return {row.visit_id for row in rows}

    def _oldest_of_each_gym(
        self, gym_id: ColumnElement[UUID], began_at: ColumnElement[datetime]
    ) -> dict[UUID, datetime]:
        rows = self._connection.execute(select(gym_id, func.min(began_at)).group_by(gym_id))
        return {row[0]: row[1] for row in rows}

    def _stored_count(self, request: HeadCountRequest, gym: LockedGym) -> HeadCountAnswer | None:
        row = self._connection.execute(
            select(head_counts).where(head_counts.c.count_id == request.count_id, head_counts.c.by_id == request.by)
        ).one_or_none()
        if row is None:
            return None
        return HeadCountAnswer(
            count_id=row.count_id,
            gym_id=row.gym_id,
            counted=row.counted,
            before=row.inside_before,
            closed=row.closed,
            added=row.added,
            occupancy=row.counted,
            capacity=gym.capacity,
            counted_at=row.counted_at,
            replayed=True,
        )

    def _add_head_count(self, row: HeadCountRow) -> None:
        request, answer = row.request, row.answer
        self._connection.execute(
            insert(head_counts).values(
                id=row.id,
                count_id=request.count_id,
                gym_id=request.gym_id,
                by_id=request.by,
                counted=answer.counted,
                inside_before=answer.before,
                closed=answer.closed,
                added=answer.added,
                reason=request.reason,
                counted_at=answer.counted_at,
            )
        )


def _chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]


def _literals(visit: VisitRow) -> str:
    """The values of `_COLUMNS`."""
    return (
        f"{id_literal(visit.id)},{id_literal(visit.gym_id)},{id_literal(visit.member_id)},{id_literal(visit.gate_id)},"
        f"{instant_literal(visit.pass_issued_at)},{instant_literal(visit.entered_at)},{id_literal(visit.entered_scan)},"
        f"{instant_literal(visit.left_at)},{id_literal(visit.left_scan)},{word_literal(visit.inferred)}"
    )


def _open_literals(visit: VisitRow) -> str:
    """The values of `_OPEN_COLUMNS`."""
    return (
        f"{id_literal(visit.id)},{id_literal(visit.gym_id)},{id_literal(visit.member_id)},"
        f"{instant_literal(visit.entered_at)}"
    )


def _case(values: Mapping[UUID, str]) -> str:
    """An SQL expression that gives each visit its own value; the keys are the visits' ids."""
    distinct = set(values.values())
    if len(distinct) == 1:
        return distinct.pop()
    cases = [f" WHEN {id_literal(visit_id)} THEN {value}" for visit_id, value in values.items()]
    return f"CASE id{''.join(cases)} END"
