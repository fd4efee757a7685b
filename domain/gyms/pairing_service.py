"""Codes that make one device of whoever shows them first: how a door is set up without typing a secret."""

import secrets
from base64 import b32encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select, update

from domain.gyms.gate_service import create_device
from domain.gyms.model import GymProblem, GymRefusal, NewDevice
from domain.gyms.repository import GymRepository
from domain.gyms.rules import hash_secret
from domain.gyms.tables import device_pairings
from domain.ids import new_id
from domain.paging import Page, PageRequest, page

GOOD_FOR = timedelta(minutes=10)

_CODE_BYTES = 10  # 80 bits: within ten minutes, and with tries limited, nobody guesses one
_GROUP = 4
_KEPT_FOR = timedelta(days=1)
_SWEPT_AT_ONCE = 200
_NOT_GOOD = GymRefusal(
    GymProblem.UNKNOWN_PAIRING, "This is no pairing that waits: it was used, withdrawn, is over, or never was."
)


@dataclass(frozen=True, slots=True)
class Pairing:
    """A code that waits for its device, without the code itself."""

    id: UUID
    gate_id: UUID
    name: str
    created_by: UUID
    created_at: datetime
    expires_at: datetime


def new_code() -> str:
    """A code as it is shown: four groups of four letters and digits (RFC 4648 section 6)."""
    letters = b32encode(secrets.token_bytes(_CODE_BYTES)).decode()
    return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))


def hash_code(code: str) -> str:
    """What is stored of a code, however it was typed: small letters, spaces and dashes make no difference."""
    return hash_secret("".join(code.upper().replace("-", " ").split()))


class PairingRepository:
    """Questions and changes within one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, pairing: Pairing, code: str) -> None:
        """Keep a new pairing, and forget those that are long over."""
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
        """The pairings of a gate that nobody has claimed and that are not over, oldest first."""
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
        """The unclaimed pairing of a code, held until the unit of work ends."""
        row = self._connection.execute(
            select(device_pairings).where(device_pairings.c.code_hash == hash_code(code)).with_for_update()
        ).one_or_none()
        return _pairing(row) if row is not None and row.device_id is None else None

    def claimed(self, pairing_id: UUID, device_id: UUID) -> None:
        """A pairing has become a device."""
        self._connection.execute(
            update(device_pairings).where(device_pairings.c.id == pairing_id).values(device_id=device_id)
        )

    def withdraw(self, pairing_id: UUID, now: datetime) -> bool:
        """Remove a pairing that waits; whether there was one."""
        removed = self._connection.execute(
            delete(device_pairings).where(
                device_pairings.c.id == pairing_id,
                device_pairings.c.device_id.is_(None),
                device_pairings.c.expires_at > now,
            )
        )
        return removed.rowcount > 0


def create_pairing(
    connection: Connection, gate_id: UUID, name: str, by: UUID, now: datetime
) -> tuple[Pairing, str] | GymRefusal:
    """Let whoever shows a new code within ten minutes become a device of a gate.

    Returns:
        The pairing and its code, which leaves here once; what stays is a hash.
    """
    if GymRepository(connection).gate(gate_id) is None:
        return GymRefusal(GymProblem.UNKNOWN_GATE, "There is no such gate.")
    pairing = Pairing(new_id(), gate_id, name, by, now, now + GOOD_FOR)
    code = new_code()
    PairingRepository(connection).add(pairing, code)
    return pairing, code


def claim_pairing(connection: Connection, code: str, now: datetime) -> NewDevice | GymRefusal:
    """Make the device of a code. Of several who show it at once one gets the device; nobody learns why not."""
    pairings = PairingRepository(connection)
    pairing = pairings.locked_by_code(code)
    if pairing is None or pairing.expires_at <= now:
        return _NOT_GOOD
    made = create_device(GymRepository(connection), pairing.gate_id, pairing.name, now)
    if isinstance(made, GymRefusal):  # the gate was retired meanwhile
        return _NOT_GOOD
    pairings.claimed(pairing.id, made.device.id)
    return made


def withdraw_pairing(connection: Connection, pairing_id: UUID, now: datetime) -> GymRefusal | None:
    """Take a code back before anybody has claimed it."""
    return None if PairingRepository(connection).withdraw(pairing_id, now) else _NOT_GOOD


def _pairing(row: Row[Any]) -> Pairing:
    return Pairing(row.id, row.gate_id, row.name, row.created_by, row.created_at, row.expires_at)
