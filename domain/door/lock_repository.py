"""Locks the gyms and members of a batch. Nobody waits: rows that another transaction has locked are skipped."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select, tuple_

from domain.door.machine_model import MachineRequest
from domain.door.model import (
    AnnulRequest,
    DoorRequest,
    EndVisitRequest,
    OfflineScan,
    ScanRequest,
    ShownMember,
)
from domain.door.state import LockedGym, LockedMember, LockedRows, ScanKey
from domain.door.tables import scans
from domain.sql_literals import id_literals

_GYM_COLUMNS = "id, company_id, capacity, reentry_after_s, time_zone, retired_at IS NOT NULL"
_MEMBER_COLUMNS = "id, name, picture_url, banned_at IS NOT NULL OR disabled_at IS NOT NULL, deleted_at IS NOT NULL"


class LockRepository:
    """Row locks of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        # With a table scan of a small table the server would lock, or wait for, rows that were not asked for.
        self._by_key = "" if self._is_sqlite else " FORCE INDEX (PRIMARY)"

    def lock(self, requests: Sequence[DoorRequest]) -> LockedRows:
        """Lock the gyms of a batch by id, then its members by id.

        A request waits when its gym or member is locked by another transaction. Every request about a scan waits with
        it: an annulment must not overtake its scan.
        """
        gym_ids = {request.gym_id for request in requests}
        gyms = self.gyms(gym_ids)
        busy_gyms = self._existing("gyms", gym_ids - gyms.keys())
        free = [request for request in requests if request.gym_id not in busy_gyms]
        members_of = self._members_of_scans(free)
        member_ids = {member_id for request in free for member_id in _named_members(request)}.union(
            *members_of.values()
        )
        members = self.members(member_ids)
        busy_members = self._existing("users", member_ids - members.keys())
        waiting_scans = {key for key, ids in members_of.items() if ids & busy_members} if busy_members else set()
        waiting = frozenset(
            position
            for position, request in enumerate(requests)
            if request.gym_id in busy_gyms
            or _scan_key(request) in waiting_scans
            or not busy_members.isdisjoint(_named_members(request))
        )
        return LockedRows(gyms, members, waiting)

    def gyms(self, ids: Collection[UUID]) -> dict[UUID, LockedGym]:
        """Lock gyms; those that are locked already, or do not exist, are left out."""
        return {gym.id: gym for gym in map(_gym, self._locked(_GYM_COLUMNS, "gyms", ids))}

    def members(self, ids: Collection[UUID]) -> dict[UUID, LockedMember]:
        """Lock members; those that are locked already, or do not exist, are left out."""
        return {member.shown.id: member for member in map(_member, self._locked(_MEMBER_COLUMNS, "users", ids))}

    def _locked(self, columns: str, table: str, ids: Collection[UUID]) -> Sequence[Row[*tuple[Any, ...]]]:
        if not ids:
            return []
        # SQLite has one lock for the whole database, and this transaction holds it.
        lock_clause = "" if self._is_sqlite else " FOR UPDATE SKIP LOCKED"
        query = f"SELECT {columns} FROM {table}{self._by_key} WHERE id IN ({id_literals(ids)}) ORDER BY id{lock_clause}"  # noqa: S608
        return self._connection.exec_driver_sql(query).all()

    def _existing(self, table: str, ids: Collection[UUID]) -> set[UUID]:
        if not ids:
            return set()
        query = f"SELECT id FROM {table} WHERE id IN ({id_literals(ids)})"  # noqa: S608
        return {UUID(bytes=row[0]) for row in self._connection.exec_driver_sql(query)}

    def _members_of_scans(self, requests: Sequence[DoorRequest]) -> Mapping[ScanKey, set[UUID]]:
        """Whose each scan is. One scan id may come with codes of several members."""
        members_of: dict[ScanKey, set[UUID]] = {}
        for request in requests:
            scan = request.scan if isinstance(request, OfflineScan) else request
            if isinstance(scan, ScanRequest):
                member_ids = members_of.setdefault((scan.scan_id, scan.asked_by), set())
                if scan.reading.member_id is not None:
                    member_ids.add(scan.reading.member_id)
        annulled = [key for request in requests if isinstance(request, AnnulRequest) and (key := _scan_key(request))]
        if annulled:  # their gyms are locked, so the scans do not change any more
            columns = scans.c.scan_id, scans.c.asked_by, scans.c.member_id
            query = select(*columns).where(
                tuple_(scans.c.scan_id, scans.c.asked_by).in_(annulled), scans.c.member_id.is_not(None)
            )
            for scan_id, asked_by, member_id in self._connection.execute(query):
                members_of.setdefault((scan_id, asked_by), set()).add(member_id)
        return members_of


def _scan_key(request: DoorRequest) -> ScanKey | None:
    """The scan that a request makes or annuls."""
    match request:
        case ScanRequest() | AnnulRequest():
            return request.scan_id, request.asked_by
        case OfflineScan():
            return request.scan.scan_id, request.scan.asked_by
        case _:
            return None


def _named_members(request: DoorRequest) -> tuple[UUID, ...]:
    """The member that a request other than a scan names."""
    return (request.member_id,) if isinstance(request, EndVisitRequest | MachineRequest) else ()


def _gym(row: Row[*tuple[Any, ...]]) -> LockedGym:
    reentry_after = None if row[3] is None else timedelta(seconds=row[3])
    return LockedGym(UUID(bytes=row[0]), UUID(bytes=row[1]), row[2], reentry_after, row[4], bool(row[5]))


def _member(row: Row[*tuple[Any, ...]]) -> LockedMember:
    return LockedMember(ShownMember(UUID(bytes=row[0]), row[1], row[2]), bool(row[3]), bool(row[4]))
