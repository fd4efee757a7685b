"""Rules of gates, devices and pairing codes."""

import hashlib
import hmac
import secrets
from base64 import b32encode
from collections.abc import Iterable
from functools import lru_cache
from uuid import UUID
from zoneinfo import available_timezones

from domain.door.model import Direction
from domain.gyms.model import Gate, GateDirections, GymProblem, GymRefusal
from domain.text import comparison_key

_SERVED = {
    GateDirections.IN: frozenset({Direction.ENTER}),
    GateDirections.OUT: frozenset({Direction.LEAVE}),
    GateDirections.BOTH: frozenset(Direction),
}
_NO_PLACES = {"Factory", "localtime", "posixrules"}  # their meaning depends on the machine


def serves_direction(serves: GateDirections, direction: Direction) -> bool:
    """Whether a gate is for a direction. `auto` is possible only at a gate for both."""
    return direction in _SERVED[serves]


def refuse_gate(existing: Iterable[Gate], name: str) -> GymRefusal | None:
    """Why a gym with these gates cannot have another one of that name; None if it can."""
    key = comparison_key(name)
    if any(comparison_key(gate.name) == key for gate in existing):
        return GymRefusal(GymProblem.GATE_NAME_TAKEN, "The gym has a gate of this name. Choose another name.")
    return None


def refuse_change(what: str, version: int, expected: int | None) -> GymRefusal | None:
    """Why a change is refused because of its expected version; None if it is not.

    Args:
        what: the changed object with its article, for the message.
        expected: the version that the caller has read; None accepts any version.
    """
    if expected is None or expected == version:
        return None
    return GymRefusal(
        GymProblem.CHANGED_MEANWHILE,
        f"{what} has changed: it is at version {version}, not {expected}. Read it again and repeat the change.",
    )


@lru_cache(maxsize=1)
def time_zones() -> frozenset[str]:
    """The names of time zones that a gym can have."""
    return frozenset(available_timezones()) - _NO_PLACES


def hash_secret(secret: str) -> str:
    """The stored hash of a device's secret. The secret has 256 random bits, so a plain SHA-256 is safe."""
    return hashlib.sha256(secret.encode()).hexdigest()


def secret_matches(secret: str, secret_hash: str) -> bool:
    """Compare a secret with its stored hash in constant time."""
    return hmac.compare_digest(hash_secret(secret), secret_hash)


def write_credential(device_id: UUID, secret: str) -> str:
    """The credential of a device: `<id>.<secret>`."""
    return f"{device_id}.{secret}"


def read_credential(credential: str) -> tuple[UUID, str] | None:
    """The device id and the secret of a credential; None if the text is not a credential."""
    name, dot, secret = credential.partition(".")
    try:
        device_id = UUID(name)
    except ValueError:
        return None
    return (device_id, secret) if dot and secret else None


_CODE_BYTES = 10  # 80 bits cannot be guessed within ten minutes and a limited number of attempts


_GROUP = 4


def new_code() -> str:
    """A new code: four groups of four letters and digits (base32, RFC 4648 section 6)."""
    letters = b32encode(secrets.token_bytes(_CODE_BYTES)).decode()
    return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))


def hash_code(code: str) -> str:
    """The stored hash of a code. Letter case, spaces and hyphens make no difference."""
    return hash_secret("".join(code.upper().replace("-", " ").split()))
