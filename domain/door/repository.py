"""Loads and saves what the decisions about a batch of scans need and change.

The statements are SQL text with literals (domain/sql_literals.py), few and wide: each one is a round trip to the
database, and every gate of the batch waits for all of them.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select, tuple_

from domain.door.events import TOPIC
from domain.door.machine_model import OpenUse
from domain.door.machine_use_repository import MachineUseRepository
from domain.door.model import (
    Direction,
    DoorLimits,
    Outcome,
    PassStatus,
    Reason,
    Remedy,
    ScanAnswer,
    ScanRequest,
    ShownMember,
)
from domain.door.recent_scan_repository import RecentScanRepository
from domain.door.state import (
    Annulment,
    DoorState,
    EntitlementState,
    LoadedGyms,
    LoadedMembers,
    LockedRows,
    OpenVisit,
    ScanChanges,
    ScanKey,
    ScanRow,
    StoredScan,
)
from domain.door.tables import scans
from domain.door.visit_repository import VisitRepository
from domain.gyms.opening_hours import OpeningException, OpeningHours
from domain.gyms.tables import gyms
from domain.identity.tables import users
from domain.memberships.model import HeldMembership
from domain.memberships.tables import memberships
from domain.outbox import store_events
from domain.sql_literals import (
    day_literal,
    id_literal,
    id_literals,
    instant_literal,
    pairs_literal,
    read_instant,
    word_literal,
)

SCANS_WITH_MEMBERS = select(
    scans, users.c.name.label("member_name"), users.c.picture_url.label("member_picture")
).outerjoin(users, users.c.id == scans.c.member_id)
_DAYS_AROUND = 2  # a gym's date differs from that of UTC by one day at most; spans reach into the day before and after
_SCAN_COLUMNS = (
    "id, scan_id, asked_by, gym_id, gate_id, direction, member_id, pass_status, pass_issued_at, scanned_at,"
    " arrived_at, decided_at, outcome, reason, remedy, occupancy, capacity, visit_id, repeats_id"
)


class DoorRepository:
    """The tables on the path of a scan. Gyms and members are locked before anything is loaded."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._mark = "?" if connection.dialect.name == "sqlite" else "%s"  # of a bound parameter

    def load(self, requests: Sequence[ScanRequest], locked: LockedRows, now: datetime, limits: DoorLimits) -> DoorState:
        """Load everything that the decisions about these scans need."""
        return DoorState(
            locked,
            stored=self.stored_scans([(request.scan_id, request.asked_by) for request in requests]),
            gyms=self._gyms(locked.gyms, now),
            members=self.members(locked.members),
            recent=RecentScanRepository(self._connection).load(requests, locked.members, now, limits.repeat_window),
        )

    def save(self, changes: ScanChanges, now: datetime) -> None:
        """Write everything that the decisions changed."""
        self._add_scans(changes.scans)
        visits = VisitRepository(self._connection)
        # A member is inside once: visits end before others open.
        visits.end(changes.visit_ends)
        visits.add(list(changes.new_visits.values()))
        MachineUseRepository(self._connection).end(changes.ended_uses)
        store_events(self._connection, TOPIC, [(event.gym_id, event) for event in changes.events], now)

    def load_entitlement(self, member_id: UUID, gym_id: UUID) -> EntitlementState | None:
        """Load a member's memberships as a gym sees them, without a lock; None: no such member or gym."""
        member = self._connection.execute(
            select(users.c.banned_at, users.c.disabled_at).where(users.c.id == member_id, users.c.deleted_at.is_(None))
        ).one_or_none()
        company_id = self._connection.execute(select(gyms.c.company_id).where(gyms.c.id == gym_id)).scalar_one_or_none()
        if member is None or company_id is None:
            return None
        held = self.members([member_id]).memberships.get(member_id, [])
        zones = self._connection.execute(
            select(memberships.c.ends_at, memberships.c.time_zone).where(memberships.c.member_id == member_id)
        )
        return EntitlementState(
            banned=member.banned_at is not None or member.disabled_at is not None,
            memberships=[membership.seen_from(gym_id, company_id) for membership in held],
            time_zones={row.ends_at: row.time_zone for row in zones},
        )

    def stored_scans(self, keys: Collection[ScanKey]) -> dict[ScanKey, StoredScan]:
        """The scans with these ids that were decided, recorded or annulled before."""
        if not keys:
            return {}
        # New scans are the rule: a short statement finds out whether there is anything to load.
        among = pairs_literal(self._connection, [f"({self._mark},{id_literal(whose)})" for _, whose in keys])
        query = f"SELECT 1 FROM scans WHERE (scan_id, asked_by) IN {among} LIMIT 1"  # noqa: S608
        if not self._connection.exec_driver_sql(query, tuple(scan_id for scan_id, _ in keys)).all():
            return {}
        query_all = SCANS_WITH_MEMBERS.where(tuple_(scans.c.scan_id, scans.c.asked_by).in_(keys))
        return {(row.scan_id, row.asked_by): stored_scan(row) for row in self._connection.execute(query_all)}

    def members(self, ids: Collection[UUID]) -> LoadedMembers:
        """Load where members are and what they hold."""
        loaded = LoadedMembers()
        if not ids:
            return loaded
        listed: list[tuple[HeldMembership, bytes]] = []
        for row in self._connection.exec_driver_sql(
            "SELECT u.id, o.visit_id, o.gym_id, o.entered_at, m.plan_id, m.starts_at, m.ends_at, m.frozen_from,"  # noqa: S608
            " m.frozen_until, m.in_arrears_since IS NOT NULL, p.company_id, p.covers_all_gyms,"
            " CASE WHEN m.without_grace THEN 0 ELSE p.grace_days END,"
            " EXISTS (SELECT 1 FROM open_orders q WHERE q.member_id = u.id),"
            " a.visit_id, a.use_id, a.machine_id, a.gym_id, a.started_at"
            " FROM users u LEFT JOIN open_visits o ON o.member_id = u.id"
            " LEFT JOIN open_machine_uses a ON a.member_id = u.id"
            " LEFT JOIN memberships m ON m.member_id = u.id LEFT JOIN plans p ON p.id = m.plan_id"
            f" WHERE u.id IN ({id_literals(ids)})"
        ):
            member_id = UUID(bytes=row[0])
            if row[1] is not None:
                entered_at = _instant(row[3])
                loaded.open_visits[member_id] = OpenVisit(UUID(bytes=row[1]), UUID(bytes=row[2]), entered_at)
            if row[13]:
                loaded.paying.add(member_id)
            if row[14] is not None:
                visit_id, use_id, machine_id, gym_id = [UUID(bytes=id_) for id_ in row[14:18]]
                use = OpenUse(use_id, machine_id, gym_id, member_id, visit_id, _instant(row[18]))
                loaded.machine_uses[visit_id] = use
            if row[4] is not None:
                held = _membership(row)
                loaded.memberships.setdefault(member_id, []).append(held)
                if not held.covers_all_gyms:
                    listed.append((held, row[4]))
        if listed:
            self._add_gyms_of_plans(listed)
        return loaded

    def _gyms(self, ids: Collection[UUID], now: datetime) -> LoadedGyms:
        """Load opening hours and occupancy."""
        loaded = LoadedGyms()
        if not ids:
            return loaded
        chosen, today = id_literals(ids), now.astimezone(UTC).date()
        first, last = (day_literal(today + timedelta(days=days)) for days in (-_DAYS_AROUND, _DAYS_AROUND))
        for gym_id, visits, weekday, opens, closes, day in self._connection.exec_driver_sql(
            "SELECT gym_id, COUNT(*), NULL, NULL, NULL, NULL"  # noqa: S608 - literals of domain/sql_literals.py only
            f" FROM open_visits WHERE gym_id IN ({chosen}) GROUP BY gym_id"
            " UNION ALL SELECT gym_id, NULL, weekday, opens_minute, closes_minute, NULL"
            f" FROM opening_hours WHERE gym_id IN ({chosen})"
            " UNION ALL SELECT gym_id, NULL, NULL, opens_minute, closes_minute, day"
            f" FROM opening_exceptions WHERE gym_id IN ({chosen}) AND day BETWEEN {first} AND {last}"
        ):
            gym = UUID(bytes=gym_id)
            if visits is not None:
                loaded.occupancy[gym] = visits
            elif day is not None:
                exception = OpeningException(date.fromisoformat(day), opens, closes)
                loaded.exceptions.setdefault(gym, []).append(exception)
            else:
                loaded.hours.setdefault(gym, []).append(OpeningHours(weekday, opens, closes))
        return loaded

    def _add_gyms_of_plans(self, listed: Sequence[tuple[HeldMembership, bytes]]) -> None:
        """Add the gyms of plans that cover a list of gyms."""
        plans = {UUID(bytes=plan) for _, plan in listed}
        covered: dict[bytes, set[UUID]] = {}
        for plan, gym in self._connection.exec_driver_sql(
            f"SELECT plan_id, gym_id FROM plan_gyms WHERE plan_id IN ({id_literals(plans)})"  # noqa: S608
        ):
            covered.setdefault(plan, set()).add(UUID(bytes=gym))
        for held, plan in listed:
            held.gyms.update(covered.get(plan, ()))

    def _add_scans(self, new: Sequence[ScanRow]) -> None:
        if not new:
            return
        rows = ",".join([f"({_scan_literals(scan, self._mark)})" for scan in new])
        self._connection.exec_driver_sql(
            f"INSERT INTO scans ({_SCAN_COLUMNS}) VALUES {rows}",  # noqa: S608
            tuple([scan.request.scan_id for scan in new]),
        )


def _scan_literals(scan: ScanRow, scan_id: str) -> str:
    """The values of `_SCAN_COLUMNS`.

    Args:
        scan_id: a parameter's mark, because the id is a string from the client.
    """
    request, answer, reading = scan.request, scan.answer, scan.request.reading
    return (
        f"{id_literal(scan.id)},{scan_id},{id_literal(request.asked_by)},{id_literal(request.gym_id)},"
        f"{id_literal(request.gate_id)},{word_literal(request.direction)},{id_literal(reading.member_id)},"
        f"{word_literal(reading.status)},{instant_literal(reading.issued_at)},{instant_literal(request.scanned_at)},"
        f"{instant_literal(request.arrived_at)},{instant_literal(answer.decided_at)},{word_literal(answer.outcome)},"
        f"{word_literal(answer.reason)},{word_literal(answer.remedy)},{answer.occupancy:d},{answer.capacity:d},"
        f"{id_literal(scan.visit_id)},{id_literal(scan.repeats_id)}"
    )


def _instant(value: datetime | str | None) -> datetime:
    """A time of a column that is not null."""
    moment = read_instant(value)
    assert moment is not None  # noqa: S101
    return moment


def _membership(row: Row[*tuple[Any, ...]]) -> HeldMembership:
    return HeldMembership(
        _instant(row[5]),
        _instant(row[6]),
        timedelta(days=row[12]),
        read_instant(row[7]),
        read_instant(row[8]),
        bool(row[9]),
        UUID(bytes=row[10]),
        bool(row[11]),
    )


def stored_scan(row: Row[Any]) -> StoredScan:
    """A row of `SCANS_WITH_MEMBERS`."""
    member = None
    if row.member_id is not None and row.member_name is not None:
        member = ShownMember(row.member_id, row.member_name, row.member_picture)
    annulled = None
    if row.annulled_at is not None:
        annulled = Annulment(row.annulled_at, row.annulled_by, row.annul_reason or "")
    answer = ScanAnswer(
        scan_id=row.scan_id,
        outcome=Outcome(row.outcome),
        reason=Reason(row.reason) if row.reason else None,
        remedy=Remedy(row.remedy) if row.remedy else None,
        member=member,
        gym_id=row.gym_id,
        occupancy=row.occupancy,
        capacity=row.capacity,
        decided_at=row.decided_at,
        replayed=True,
    )
    return StoredScan(
        id=row.id,
        asked_by=row.asked_by,
        gate_id=row.gate_id,
        direction=Direction(row.direction) if row.direction else None,
        scanned_at=row.scanned_at,
        arrived_at=row.arrived_at,
        answer=answer,
        annulled=annulled,
        member_id=row.member_id,
        pass_status=PassStatus(row.pass_status) if row.pass_status else None,
        pass_issued_at=row.pass_issued_at,
        visit_id=row.visit_id,
        offline=bool(row.offline),
        repeat=row.repeats_id is not None,
    )
