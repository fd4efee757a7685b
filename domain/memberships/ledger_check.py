"""Checks that every membership equals the sum of its ledger, and every order the money that the ledger kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from domain.memberships.booked_membership import projection
from domain.memberships.ledger import balance_of
from domain.memberships.periods import CoverageError
from domain.memberships.repository import LedgerRepository

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class LedgerMismatch:
    """Something that does not add up. `about` is the id of a membership or an order."""

    about: UUID
    what: str


def check_ledger(connection: Connection) -> Iterator[LedgerMismatch]:
    """Everything that does not add up. Reads the ledger in parts."""
    yield from _memberships(connection)
    yield from _orders(connection)


def _memberships(connection: Connection) -> Iterator[LedgerMismatch]:
    ledger = LedgerRepository(connection)
    after = UUID(int=0)
    while stored := ledger.stored(after, _AT_ONCE):
        for membership in stored:
            try:
                balance = balance_of((entry.draft, entry.booked_on) for entry in membership.entries())
                expected = projection(balance, membership.time_zone)
            except (CoverageError, ValueError) as error:
                yield LedgerMismatch(membership.id, f"the ledger contradicts itself: {error}")
                continue
            for name, value in membership.columns.items():
                if value != expected[name]:
                    yield LedgerMismatch(membership.id, f"{name} is {value}, by the ledger {expected[name]}")
            if balance.coverage.days() != sum(balance.held.values()):
                yield LedgerMismatch(membership.id, "days were moved that nobody held")
        after = stored[-1].id


def _orders(connection: Connection) -> Iterator[LedgerMismatch]:
    """Of each fulfilled order the ledger keeps what was paid less what was refunded."""
    for order_id, left, kept in LedgerRepository(connection).kept_of_orders():
        if kept != left:
            yield LedgerMismatch(order_id, f"{left} are left of it, by the ledger {kept}")
