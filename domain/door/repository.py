"""What the door reads and writes. Every deciding read comes after the locks.

The statements of a batch are SQL text with literals in it (`domain/literals.py`): few and wide, as each costs a way to
the database and back, and every door of the batch waits for all of them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import json
from sqlalchemy import Connection, Row, select, tuple_

from domain.door.model import Inferred, ShownMember
from domain.door.rows import NewScan, NewVisit
from domain.door.state import OpenVisit
from domain.door.tables import scans
from domain.gyms.opening_hours import OpeningException, OpeningHours
from domain.identity.tables import users
from domain.literals import (
    day_literal,
    id_literal,
    id_literals,
    instant_literal,
    pairs_literal,
    read_instant,
    word_literal,
)
from domain.memberships.model import HeldMembership

_DAYS_AROUND = 2  # a gym's own day is at most one away from that of UTC; the night before and the day after count

_MEMBER_COLUMNS = "id, name, picture_url, banned_at IS NOT NULL OR disabled_at IS NOT NULL, deleted_at IS NOT NULL"

Asked = tuple[str, UUID]  # a scan id and whose it is


@dataclass(frozen=True, slots=True)
class GymRow:
    """A locked gym."""

    id: UUID
    company_id: UUID
    capacity: int
    reentry_after: timedelta | None
    time_zone: str
    retired: bool


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A locked member.

    Args:
        banned: banned by the staff, or the account is disabled.
        deleted: the account is, though its row is still there to be locked; to a scan, nobody who is known.
    """

    shown: ShownMember
    banned: bool
    deleted: bool


@dataclass(frozen=True, slots=True)
class GymsNow:
    """Opening hours and open visits of gyms; those without any are left out.

    Args:
        exceptions: of the days around now.
    """

    hours: dict[UUID, list[OpeningHours]]
    exceptions: dict[UUID, list[OpeningException]]
    occupancy: dict[UUID, int]


@dataclass(frozen=True, slots=True)
class MembersNow:
    """Where members are and what they hold; those outside, and those who hold nothing, are left out.

    Args:
        at_machines: the visits during which a machine is used just now.
        paying: those of whose orders the end is not known yet.
    """

    inside: dict[UUID, OpenVisit]
    memberships: dict[UUID, list[HeldMembership]]
    at_machines: set[UUID]
    paying: set[UUID]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a visit ends by a scan."""

    visit_id: UUID
    left_at: datetime
    left_scan: UUID
    inferred: Inferred | None


class DoorRepository:
    """The door's tables, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._bind = "?" if self._is_sqlite else "%s"
        # On its way through a small table the server would lock, or wait for, rows that were not asked for.
        self._by_key = "" if self._is_sqlite else " FORCE INDEX (PRIMARY)"

    def lock_gyms(self, ids: Collection[UUID]) -> dict[UUID, GymRow]:
        """Lock gyms in the order of their ids, those that nobody else holds; unknown ones are left out as well."""
        rows = self._locked("id, company_id, capacity, reentry_after_s, time_zone, retired_at IS NOT NULL", "gyms", ids)
        found = [
            GymRow(
                UUID(bytes=row[0]),
                UUID(bytes=row[1]),
                row[2],
                None if row[3] is None else timedelta(seconds=row[3]),
                row[4],
                bool(row[5]),
            )
            for row in rows
        ]
        return {gym.id: gym for gym in found}

    def lock_members(self, ids: Collection[UUID]) -> dict[UUID, MemberRow]:
        """Lock members in the order of their ids, those that nobody else holds; unknown ones are left out as well."""
        found = [_member_row(row) for row in self._locked(_MEMBER_COLUMNS, "users", ids)]
        return {member.shown.id: member for member in found}

    def member(self, member_id: UUID) -> MemberRow | None:
        """One member as they are now, whoever holds the row. A scan is never decided by it."""
        rows = self._rows(f"SELECT {_MEMBER_COLUMNS} FROM users WHERE id = {id_literal(member_id)}")  # noqa: S608
        return _member_row(rows[0]) if rows else None

    def existing_gyms(self, ids: Collection[UUID]) -> set[UUID]:
        """Those that exist, whoever holds them."""
        return self._existing("gyms", ids)

    def existing_members(self, ids: Collection[UUID]) -> set[UUID]:
        """Those that exist, whoever holds them."""
        return self._existing("users", ids)

    def gyms_now(self, ids: Collection[UUID], now: datetime) -> GymsNow:
        """How gyms stand."""
        found = GymsNow({}, {}, {})
        if not ids:
            return found
        chosen, today = id_literals(ids), now.astimezone(UTC).date()
        first, last = (day_literal(today + timedelta(days=days)) for days in (-_DAYS_AROUND, _DAYS_AROUND))
        for gym_id, visits, weekday, opens, closes, day in self._rows(
            "SELECT gym_id, COUNT(*), NULL, NULL, NULL, NULL"  # noqa: S608 - literals of domain/literals.py only
            f" FROM open_visits WHERE gym_id IN ({chosen}) GROUP BY gym_id"
            " UNION ALL SELECT gym_id, NULL, weekday, opens_minute, closes_minute, NULL"
            f" FROM opening_hours WHERE gym_id IN ({chosen})"
            " UNION ALL SELECT gym_id, NULL, NULL, opens_minute, closes_minute, day"
            f" FROM opening_exceptions WHERE gym_id IN ({chosen}) AND day BETWEEN {first} AND {last}"
        ):
            gym = UUID(bytes=gym_id)
            if visits is not None:
                found.occupancy[gym] = visits
            elif day is not None:
                exception = OpeningException(date.fromisoformat(day), opens, closes)
                found.exceptions.setdefault(gym, []).append(exception)
            else:
                found.hours.setdefault(gym, []).append(OpeningHours(weekday, opens, closes))
        return found

    def occupancy(self, gym_id: UUID) -> int:
        """Open visits of one gym."""
        (row,) = self._rows(f"SELECT COUNT(*) FROM open_visits WHERE gym_id = {id_literal(gym_id)}")  # noqa: S608
        count: int = row[0]
        return count

    def open_visit(self, member_id: UUID, gym_id: UUID) -> UUID | None:
        """The member's open visit at this gym."""
        rows = self._rows(
            f"SELECT visit_id FROM open_visits WHERE member_id = {id_literal(member_id)}"  # noqa: S608
            f" AND gym_id = {id_literal(gym_id)}"
        )
        return UUID(bytes=rows[0][0]) if rows else None

    def members_now(self, ids: Collection[UUID]) -> MembersNow:
        """Where members are and what they hold."""
        found = MembersNow({}, {}, set(), set())
        if not ids:
            return found
        listed: list[tuple[HeldMembership, bytes]] = []
        for row in self._rows(
            "SELECT u.id, o.visit_id, o.gym_id, o.entered_at, m.plan_id, m.starts_at, m.ends_at, m.frozen_from,"  # noqa: S608
            " m.frozen_until, m.in_arrears_since IS NOT NULL, p.company_id, p.covers_all_gyms,"
            " CASE WHEN m.without_grace THEN 0 ELSE p.grace_days END, a.visit_id,"
            " EXISTS (SELECT 1 FROM open_orders q WHERE q.member_id = u.id)"
            " FROM users u LEFT JOIN open_visits o ON o.member_id = u.id"
            " LEFT JOIN open_machine_uses a ON a.member_id = u.id"
            " LEFT JOIN memberships m ON m.member_id = u.id LEFT JOIN plans p ON p.id = m.plan_id"
            f" WHERE u.id IN ({id_literals(ids)})"
        ):
            member_id = UUID(bytes=row[0])
            if row[1] is not None:
                entered_at = read_instant(row[3])
                assert entered_at is not None  # noqa: S101 - the column is not null
                found.inside[member_id] = OpenVisit(UUID(bytes=row[1]), UUID(bytes=row[2]), entered_at)
            if row[13] is not None:
                found.at_machines.add(UUID(bytes=row[13]))
            if row[14]:
                found.paying.add(member_id)
            if row[4] is not None:
                held = _held(row)
                found.memberships.setdefault(member_id, []).append(held)
                if not held.covers_all_gyms:
                    listed.append((held, row[4]))
        if listed:
            self._add_listed_gyms(listed)
        return found

    def known_scans(self, asked: Collection[Asked]) -> dict[Asked, Row[*tuple[Any, ...]]]:
        """Scans decided before, by the client's id and who asked, with the member as shown."""
        if not asked or not self._any_known(asked):
            return {}
        rows = self._connection.execute(
            select(scans, users.c.name, users.c.picture_url)
            .outerjoin(users, users.c.id == scans.c.member_id)
            .where(tuple_(scans.c.scan_id, scans.c.asked_by).in_(asked))
        )
        return {(row.scan_id, row.asked_by): row for row in rows}

    def add_scans(self, new: Sequence[NewScan]) -> None:
        """Write scans."""
        if not new:
            return
        rows = ",".join([f"({scan.literals(self._bind)})" for scan in new])
        statement = f"INSERT INTO scans ({NewScan.COLUMNS}) VALUES {rows}"  # noqa: S608
        self._write(statement, [scan.request.scan_id for scan in new])

    def add_visits(self, new: Sequence[NewVisit]) -> None:
        """Write visits; those that have not ended are open."""
        if not new:
            return
        self._write(
            f"INSERT INTO visits ({NewVisit.COLUMNS}) VALUES " + ",".join([f"({visit.literals()})" for visit in new])  # noqa: S608
        )
        opened = [f"({visit.open_literals()})" for visit in new if visit.left_at is None]
        if opened:
            self._write(f"INSERT INTO open_visits ({NewVisit.OPEN_COLUMNS}) VALUES " + ",".join(opened))  # noqa: S608

    def end_visits(self, endings: Sequence[Ending]) -> None:
        """End visits: they are open no longer."""
        if not endings:
            return
        ended = id_literals([ending.visit_id for ending in endings])
        scans_of = [f" WHEN {id_literal(ending.visit_id)} THEN {id_literal(ending.left_scan)}" for ending in endings]
        moments = {ending.left_at for ending in endings}
        if len(moments) == 1:
            left_at = instant_literal(moments.pop())
        else:
            when = [f" WHEN {id_literal(ending.visit_id)} THEN {instant_literal(ending.left_at)}" for ending in endings]
            left_at = f"CASE id{''.join(when)} END"
        reasons = {ending.inferred for ending in endings}
        if len(reasons) == 1:
            inferred = word_literal(reasons.pop())
        else:
            why = [
                f" WHEN {id_literal(ending.visit_id)} THEN {word_literal(ending.inferred)}"
                for ending in endings
                if ending.inferred is not None
            ]
            inferred = f"CASE id{''.join(why)} END"
        self._write(
            f"UPDATE visits{self._by_key} SET left_at = {left_at},"  # noqa: S608
            f" left_scan = CASE id{''.join(scans_of)} END,"
            f" inferred = {inferred} WHERE id IN ({ended})"
        )
        self._close([ending.visit_id for ending in endings])

    def end_visits_by_rule(self, visits: Sequence[UUID], inferred: Inferred, left_at: datetime) -> None:
        """End visits at one moment without a scan. That a rule did so stays known, whatever is known later.

        One that began later, by the clock of another server, ends as it begins.
        """
        if not visits:
            return
        moment, word = instant_literal(left_at), word_literal(inferred)
        moment = f"CASE WHEN entered_at > {moment} THEN entered_at ELSE {moment} END"
        self._write(
            f"UPDATE visits{self._by_key} SET left_at = {moment}, left_scan = NULL, inferred = {word},"  # noqa: S608
            f" rule_ended_at = {moment}, rule = {word} WHERE id IN ({id_literals(visits)})"
        )
        self._close(visits)

    def _close(self, visits: Collection[UUID]) -> None:
        """Take visits out of those that are open."""
        if self._is_sqlite:
            self._write(f"DELETE FROM open_visits WHERE visit_id IN ({id_literals(visits)})")  # noqa: S608
            return
        # Each row is gone to by its key, alone: with `IN (…)` the server reads on to rows beside those that are meant,
        # and waits for whoever has written one and not committed yet.
        self._write(
            "DELETE o FROM JSON_TABLE(%s, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS ended"
            " STRAIGHT_JOIN open_visits AS o FORCE INDEX (PRIMARY) WHERE o.visit_id = UNHEX(ended.id)",
            [json.encode([visit.hex for visit in visits]).decode()],
        )

    def _locked(self, columns: str, table: str, ids: Collection[UUID]) -> Sequence[Row[*tuple[Any, ...]]]:
        if not ids:
            return []
        # SQLite's unit of work holds the only lock there is.
        unheld = "" if self._is_sqlite else " FOR UPDATE SKIP LOCKED"
        query = f"SELECT {columns} FROM {table}{self._by_key} WHERE id IN ({id_literals(ids)}) ORDER BY id{unheld}"  # noqa: S608
        return self._rows(query)

    def _existing(self, table: str, ids: Collection[UUID]) -> set[UUID]:
        if not ids:
            return set()
        rows = self._rows(f"SELECT id FROM {table} WHERE id IN ({id_literals(ids)})")  # noqa: S608
        return {UUID(bytes=row[0]) for row in rows}

    def _any_known(self, asked: Collection[Asked]) -> bool:
        among = pairs_literal(self._connection, [f"({self._bind},{id_literal(whose)})" for _, whose in asked])
        query = f"SELECT 1 FROM scans WHERE (scan_id, asked_by) IN {among} LIMIT 1"  # noqa: S608
        return bool(self._rows(query, [scan_id for scan_id, _ in asked]))

    def _add_listed_gyms(self, listed: Sequence[tuple[HeldMembership, bytes]]) -> None:
        """Which gyms the plans cover that name theirs."""
        plans = {UUID(bytes=plan) for _, plan in listed}
        covered: dict[bytes, set[UUID]] = {}
        for plan, gym in self._rows(
            f"SELECT plan_id, gym_id FROM plan_gyms WHERE plan_id IN ({id_literals(plans)})"  # noqa: S608
        ):
            covered.setdefault(plan, set()).add(UUID(bytes=gym))
        for held, plan in listed:
            held.gyms.update(covered.get(plan, ()))

    def _rows(self, query: str, bound: Sequence[str] = ()) -> Sequence[Row[*tuple[Any, ...]]]:
        return self._connection.exec_driver_sql(query, tuple(bound) or None).all()

    def _write(self, statement: str, bound: Sequence[str] = ()) -> None:
        self._connection.exec_driver_sql(statement, tuple(bound) or None)


def _member_row(row: Row[*tuple[Any, ...]]) -> MemberRow:
    return MemberRow(ShownMember(UUID(bytes=row[0]), row[1], row[2]), bool(row[3]), bool(row[4]))


def _held(row: Row[*tuple[Any, ...]]) -> HeldMembership:
    starts_at, ends_at = read_instant(row[5]), read_instant(row[6])
    assert starts_at is not None and ends_at is not None  # noqa: PT018, S101 - the columns are not null
    return HeldMembership(
        starts_at,
        ends_at,
        timedelta(days=row[12]),
        read_instant(row[7]),
        read_instant(row[8]),
        bool(row[9]),
        UUID(bytes=row[10]),
        bool(row[11]),
    )
