"""Queries of the live view. Every query uses an index and is limited by time or number."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, String, and_, case, cast, func, select

from domain.door.model import Outcome
from domain.door.tables import open_machine_uses, scans
from domain.gyms.tables import gate_devices, gates
from domain.ids import first_id_of
from domain.live.model import MachineCount, TrendMinute
from domain.live.service_level import DeviceInUse, ScanTiming
from domain.machines.tables import machines

# Ids come from the clock of the deciding process; the times of a row are exact.
_CLOCKS_DIFFER_BY = timedelta(minutes=1)
_MINUTE = func.substr(cast(scans.c.decided_at, String), 1, len("2026-03-02 12:00")).label("minute")


class LiveQueries:
    """Reads in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def minutes(self, gym_id: UUID, since: datetime) -> list[TrendMinute]:
        """The minutes with scans since a moment, in order."""
        counted = (
            select(
                _MINUTE,
                func.sum(case((scans.c.outcome == Outcome.ENTERED.value, 1), else_=0)).label("entered"),
                func.sum(case((scans.c.outcome == Outcome.LEFT.value, 1), else_=0)).label("left_"),
                func.max(scans.c.id).label("last_id"),
            )
            .where(
                *_since(gym_id, since),
                scans.c.decided_at >= since,
                scans.c.annulled_at.is_(None),
                # Repeated answers do not count twice, and offline scans did not happen now.
                scans.c.repeats_id.is_(None),
                scans.c.offline.is_(None),
            )
            .group_by("minute")
            .subquery()
        )
        rows = self._connection.execute(
            select(counted.c.minute, counted.c.entered, counted.c.left_, scans.c.occupancy)
            .join(scans, scans.c.id == counted.c.last_id)
            .order_by(counted.c.minute)
        )
        return [
            TrendMinute(datetime.fromisoformat(minute).replace(tzinfo=UTC), int(entered), int(left), occupancy)
            for minute, entered, left, occupancy in rows
        ]

    def free_machines(self, gym_id: UUID) -> dict[str, MachineCount]:
        """The machines of a gym by type, without retired ones."""
        is_free = and_(open_machine_uses.c.machine_id.is_(None), machines.c.out_of_order_since.is_(None))
        rows = self._connection.execute(
            select(machines.c.type, func.sum(case((is_free, 1), else_=0)), func.count())
            .outerjoin(open_machine_uses, open_machine_uses.c.machine_id == machines.c.id)
            .where(machines.c.gym_id == gym_id, machines.c.retired_at.is_(None))
            .group_by(machines.c.type)
            .order_by(machines.c.type)
        )
        return {type_: MachineCount(int(free), total) for type_, free, total in rows}

    def timings(self, gym_id: UUID, since: datetime, at_most: int) -> list[ScanTiming]:
        """The newest scans at the gates of a gym since a moment, newest first."""
        rows = self._connection.execute(
            select(
                scans.c.gate_id,
                scans.c.asked_by,
                scans.c.outcome,
                scans.c.reason,
                scans.c.scanned_at,
                scans.c.arrived_at,
                scans.c.decided_at,
                scans.c.offline,
            )
            .where(*_since(gym_id, since), scans.c.arrived_at >= since, scans.c.gate_id.is_not(None))
            .order_by(scans.c.id.desc())
            .limit(at_most)
        )
        return [ScanTiming(*row[:7], bool(row.offline)) for row in rows]

    def devices(self, gym_id: UUID) -> list[DeviceInUse]:
        """The devices in use at the gates of a gym, in the order of their creation."""
        rows = self._connection.execute(
            select(
                gate_devices.c.id,
                gate_devices.c.name,
                gates.c.id,
                gates.c.name,
                gate_devices.c.last_seen_at,
                gate_devices.c.clock_skew_ms,
            )
            .join(gates, gates.c.id == gate_devices.c.gate_id)
            .where(gates.c.gym_id == gym_id, gates.c.retired_at.is_(None), gate_devices.c.revoked_at.is_(None))
            .order_by(gate_devices.c.id)
        )
        return [DeviceInUse(*row) for row in rows]


def _since(gym_id: UUID, since: datetime) -> tuple[Any, ...]:
    return scans.c.gym_id == gym_id, scans.c.id >= first_id_of(since - _CLOCKS_DIFFER_BY)
