"""Keys of members: random numbers by which the archive tells members apart. Without its row, a key names nobody."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from domain.attendance.tables import member_keys
from domain.identity.tables import users
from domain.paging import chunks
from domain.unit_of_work import Store

_READ_AT_ONCE = 1000
_LOCK_AT_ONCE = 50  # the door skips members who are locked, and decides about them a moment later
_KEY_BITS = 63


class MemberKeyRepository:
    """The table `member_keys`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def keys(self, member_ids: Collection[UUID]) -> dict[UUID, int]:
        """The keys that members have."""
        query = select(member_keys).where(member_keys.c.member_id.in_(member_ids))
        return {row.member_id: row.member_key for row in self._connection.execute(query)}

    def create(self, member_ids: Sequence[UUID]) -> dict[UUID, int]:
        """Create keys of members who have none; a deleted or unknown account gets none.

        The users are locked, so that no account is deleted between the check and the new key.
        """
        existing = (
            select(users.c.id)
            .where(users.c.id.in_(member_ids), users.c.deleted_at.is_(None))
            .order_by(users.c.id)
            .with_for_update(read=True)
        )
        created = {row.id: secrets.randbits(_KEY_BITS) for row in self._connection.execute(existing)}
        if created:
            rows = [{"member_id": member_id, "member_key": key} for member_id, key in created.items()]
            self._connection.execute(insert(member_keys), rows)
        return created

    def forget(self, member_id: UUID) -> None:
        """Delete the key of a member. What the archive has of it names nobody from then on."""
        self._connection.execute(delete(member_keys).where(member_keys.c.member_id == member_id))


def keys_of(store: Store, member_ids: Collection[UUID]) -> Mapping[UUID, int]:
    """The keys of members, created where they are missing; members whose account is deleted are left out."""
    found: dict[UUID, int] = {}
    with store.reading() as connection:
        for some in chunks(sorted(member_ids), _READ_AT_ONCE):
            found |= MemberKeyRepository(connection).keys(some)
    missing = sorted(set(member_ids) - found.keys())
    for some in chunks(missing, _LOCK_AT_ONCE):
        found |= store.written(partial(_keys_or_new, member_ids=some))
    return found


def _keys_or_new(connection: Connection, member_ids: Sequence[UUID]) -> dict[UUID, int]:
    repository = MemberKeyRepository(connection)
    found = repository.keys(member_ids)  # another replica may have created some
    return found | repository.create([member_id for member_id in member_ids if member_id not in found])
