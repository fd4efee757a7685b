"""Identifiers: UUIDv7 everywhere, so that rows arrive in the order of their keys (RFC 9562 section 5.7)."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new identifier, greater than those made before it by this process."""
    return uuid7()
