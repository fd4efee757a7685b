"""Pairings of devices in the database."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select, update

from domain.gyms.model import Pairing
from domain.gyms.rules import hash_code
from domain.gyms.tables import device_pairings
from domain.paging import Page, PageRequest, page

_KEPT_FOR = timedelta(days=1)


_SWEPT_AT_ONCE = 200


class PairingRepository:
    """Reads and writes pairings in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, pairing: Pairing, code: str) -> None:
        """Insert a pairing, and delete those that expired long ago."""
        over = device_pairings.c.expires_at < pairing.created_at - _KEPT_FOR
        old = self._connection.execute(select(device_pairings.c.id).where(over).limit(_SWEPT_AT_ONCE)).scalars().all()
        if old:
            self._connection.execute(delete(device_pairings).where(device_pairings.c.id.in_(old)))
        self._connection.execute(
            insert(device_pairings).values(
                id=pairing.id,
                code_hash=hash_code(code),
                gate_id=pairing.gate_id,
                name=pairing.name,
                created_by=pairing.created_by,
                created_at=pairing.created_at,
                expires_at=pairing.expires_at,
            )
        )

    def waiting(self, gate_id: UUID, now: datetime, request: PageRequest) -> Page[Pairing]:
        """The pairings of a gate that are neither claimed nor expired, oldest first."""
        query = (
            select(device_pairings)
            .where(
                device_pairings.c.gate_id == gate_id,
                device_pairings.c.device_id.is_(None),
                device_pairings.c.expires_at > now,
            )
            .order_by(device_pairings.c.id)
            .limit(request.fetch)
        )
        if request.after:
            query = query.where(device_pairings.c.id > request.after)
        return page([_pairing(row) for row in self._connection.execute(query)], request, lambda one: one.id)

    def locked_by_code(self, code: str) -> Pairing | None:
        """The unclaimed pairing of a code, locked until the unit of work ends."""
        row = self._connection.execute(
            select(device_pairings).where(device_pairings.c.code_hash == hash_code(code)).with_for_update()
        ).one_or_none()
        return _pairing(row) if row is not None and row.device_id is None else None

    def claimed(self, pairing_id: UUID, device_id: UUID) -> None:
        """Store which device a pairing has become."""
        self._connection.execute(
            update(device_pairings).where(device_pairings.c.id == pairing_id).values(device_id=device_id)
        )

    def withdraw(self, pairing_id: UUID, now: datetime) -> bool:
        """Delete an unclaimed pairing; returns whether there was one."""
        removed = self._connection.execute(
            delete(device_pairings).where(
                device_pairings.c.id == pairing_id,
                device_pairings.c.device_id.is_(None),
                device_pairings.c.expires_at > now,
            )
        )
        return removed.rowcount > 0


def _pairing(row: Row[Any]) -> Pairing:
    return Pairing(row.id, row.gate_id, row.name, row.created_by, row.created_at, row.expires_at)
