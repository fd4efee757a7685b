"""Identifiers are UUIDv7, so rows are inserted in the order of their keys (RFC 9562 section 5.7)."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new identifier, greater than earlier ones of this process."""
    return uuid7()


def first_id_of(moment: datetime) -> UUID:
    """The lowest identifier of a moment: newer rows are a range of keys."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
