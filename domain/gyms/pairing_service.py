"""Use cases of pairing codes: a device is set up by a code, without typing a secret."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from domain.gyms.gate_repository import GateRepository
from domain.gyms.gate_service import create_device
from domain.gyms.model import UNKNOWN_GATE, GymProblem, GymRefusal, NewDevice, Pairing
from domain.gyms.pairing_repository import PairingRepository
from domain.gyms.rules import new_code
from domain.ids import new_id

GOOD_FOR = timedelta(minutes=10)

_NOT_GOOD = GymRefusal(
    GymProblem.UNKNOWN_PAIRING, "There is no such pairing, or it was used, withdrawn, or has expired."
)


def create_pairing(
    connection: Connection, gate_id: UUID, name: str, by: UUID, now: datetime
) -> tuple[Pairing, str] | GymRefusal:
    """Create a code that becomes a device of a gate when it is claimed within ten minutes.

    Returns:
        The pairing and its code. Only a hash of the code is stored.
    """
    if GateRepository(connection).gate(gate_id) is None:
        return UNKNOWN_GATE
    pairing = Pairing(new_id(), gate_id, name, by, now, now + GOOD_FOR)
    code = new_code()
    PairingRepository(connection).add(pairing, code)
    return pairing, code


def claim_pairing(connection: Connection, code: str, now: datetime) -> NewDevice | GymRefusal:
    """Create the device of a code. Of several concurrent claims one succeeds; the others do not learn why."""
    pairings = PairingRepository(connection)
    pairing = pairings.locked_by_code(code)
    if pairing is None or pairing.expires_at <= now:
        return _NOT_GOOD
    made = create_device(connection, pairing.gate_id, pairing.name, now)
    if isinstance(made, GymRefusal):  # the gate was retired meanwhile
        return _NOT_GOOD
    pairings.claimed(pairing.id, made.device.id)
    return made


def withdraw_pairing(connection: Connection, pairing_id: UUID, now: datetime) -> GymRefusal | None:
    """Withdraw a code that nobody has claimed."""
    return None if PairingRepository(connection).withdraw(pairing_id, now) else _NOT_GOOD
