"""What holds of gates and devices; pure decisions."""

import hashlib
import hmac
import secrets
from base64 import b32encode
from collections.abc import Iterable
from functools import lru_cache
from uuid import UUID
from zoneinfo import available_timezones

from domain.door.model import Direction
from domain.gyms.model import Gate, GymProblem, GymRefusal, Serves
from domain.text import comparison_key

_SERVED = {
    Serves.IN: frozenset({Direction.ENTER}),
    Serves.OUT: frozenset({Direction.LEAVE}),
    Serves.BOTH: frozenset(Direction),
}
_NO_PLACES = {"Factory", "localtime", "posixrules"}  # what they mean depends on the machine


def serves_direction(serves: Serves, direction: Direction) -> bool:
    """Whether a gate lets people through that way; `auto` has a meaning at a gate of both ways only."""
    return direction in _SERVED[serves]


def refuse_gate(others: Iterable[Gate], name: str) -> GymRefusal | None:
    """Why a gym that has these gates cannot have another one of that name; None when it can."""
    wanted = comparison_key(name)
    if any(comparison_key(gate.name) == wanted for gate in others):
        return GymRefusal(
            GymProblem.GATE_NAME_TAKEN, "The gym has a gate of this name; staff could not tell them apart."
        )
    return None


def refuse_change(what: str, version: int, expected: int | None) -> GymRefusal | None:
    """Why something of this version is not changed; None when it is.

    Args:
        what: it is, with its article.
        expected: the version that whoever changes it has read; None: any.
    """
    if expected is None or expected == version:
        return None
    return GymRefusal(
        GymProblem.CHANGED_MEANWHILE,
        f"{what} is at version {version}, not {expected}: somebody was first. Read it again and decide anew.",
    )


@lru_cache(maxsize=1)
def time_zones() -> frozenset[str]:
    """The names of time zones that a gym can be in."""
    return frozenset(available_timezones()) - _NO_PLACES


def hash_secret(secret: str) -> str:
    """What is stored of a device's secret. It has 256 random bits, so a plain SHA-256 cannot be searched."""
    return hashlib.sha256(secret.encode()).hexdigest()


def secret_matches(secret: str, secret_hash: str) -> bool:
    """Whether a secret is the one that was stored, in a time that does not tell how much of it is right."""
    return hmac.compare_digest(hash_secret(secret), secret_hash)


def write_credential(device_id: UUID, secret: str) -> str:
    """What a device is given to show: `<id>.<secret>`."""
    return f"{device_id}.{secret}"


def read_credential(credential: str) -> tuple[UUID, str] | None:
    """The device and the secret that a credential names; None when it is none."""
    name, dot, secret = credential.partition(".")
    try:
        device_id = UUID(name)
    except ValueError:
        return None
    return (device_id, secret) if dot and secret else None


_CODE_BYTES = 10  # 80 bits: within ten minutes, and with tries limited, nobody guesses one


_GROUP = 4


def new_code() -> str:
    """A code as it is shown: four groups of four letters and digits (RFC 4648 section 6)."""
    letters = b32encode(secrets.token_bytes(_CODE_BYTES)).decode()
    return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))


def hash_code(code: str) -> str:
    """What is stored of a code, however it was typed: small letters, spaces and dashes make no difference."""
    return hash_secret("".join(code.upper().replace("-", " ").split()))
