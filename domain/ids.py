"""Identifiers: UUIDv7 everywhere, so that rows arrive in the order of their keys (RFC 9562 section 5.7)."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new identifier, greater than those made before it by this process."""
    return uuid7()


def first_id_of(moment: datetime) -> UUID:
    """No identifier made at this moment or later is lower: what came since then is a range of keys."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
