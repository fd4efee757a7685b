"""Memberships in the store."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select

from domain.memberships.model import Membership
from domain.tables import memberships, plan_gyms, plans


@dataclass(frozen=True, slots=True)
class HeldMemberships:
    """The memberships of a set of members, to be seen from any gym."""

    _rows: dict[UUID, list[Row[*tuple[Any, ...]]]] = field(default_factory=dict)
    _covered: frozenset[tuple[UUID, UUID]] = frozenset()

    def seen_from(self, member_id: UUID, gym_id: UUID, company_id: UUID) -> tuple[Membership, ...]:
        """What one member holds, as one gym of a company sees it."""
        return tuple(
            Membership(
                starts_at=row.starts_at,
                ends_at=row.ends_at,
                grace=timedelta(days=row.grace_days),
                frozen_from=row.frozen_from,
                frozen_until=row.frozen_until,
                in_arrears=row.in_arrears_since is not None,
                covers_gym=(row.covers_all_gyms and row.company_id == company_id)
                or (row.plan_id, gym_id) in self._covered,
            )
            for row in self._rows.get(member_id, ())
        )


def memberships_of(connection: Connection, members: Collection[UUID]) -> HeldMemberships:
    """The memberships of these members, with the gyms that their plans cover."""
    if not members:
        return HeldMemberships()
    rows = connection.execute(
        select(
            memberships.c.member_id,
            memberships.c.plan_id,
            memberships.c.starts_at,
            memberships.c.ends_at,
            memberships.c.frozen_from,
            memberships.c.frozen_until,
            memberships.c.in_arrears_since,
            plans.c.company_id,
            plans.c.covers_all_gyms,
            plans.c.grace_days,
        )
        .join(plans, plans.c.id == memberships.c.plan_id)
        .where(memberships.c.member_id.in_(members))
    ).all()
    by_member: dict[UUID, list[Row[*tuple[Any, ...]]]] = defaultdict(list)
    for row in rows:
        by_member[row.member_id].append(row)
    listed = {row.plan_id for row in rows if not row.covers_all_gyms}
    covered: frozenset[tuple[UUID, UUID]] = frozenset()
    if listed:
        pairs = connection.execute(
            select(plan_gyms.c.plan_id, plan_gyms.c.gym_id).where(plan_gyms.c.plan_id.in_(listed))
        )
        covered = frozenset((pair.plan_id, pair.gym_id) for pair in pairs)
    return HeldMemberships(dict(by_member), covered)
