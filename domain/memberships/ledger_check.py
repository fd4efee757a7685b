"""The proof that memberships are what their ledgers add up to, and that no money or day stands there by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, func, select

from domain.memberships.booked_membership import projection
from domain.memberships.ledger import balance_of
from domain.memberships.periods import CoverageError
from domain.memberships.repository import entry_of
from domain.memberships.tables import ledger_entries, memberships
from domain.payments.tables import orders

_PROJECTED = ("starts_at", "ends_at", "frozen_from", "frozen_until", "in_arrears_since", "without_grace")
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class LedgerMismatch:
    """What does not add up: `about` is a membership's or an order's id."""

    about: UUID
    what: str


def check_ledger(connection: Connection) -> Iterator[LedgerMismatch]:
    """Everything that does not add up; nothing, where all is well. Reads the ledger a part at a time."""
    yield from _memberships(connection)
    yield from _orders(connection)


def _memberships(connection: Connection) -> Iterator[LedgerMismatch]:
    after = UUID(int=0)
    while True:
        rows = connection.execute(
            select(memberships).where(memberships.c.id > after).order_by(memberships.c.id).limit(_AT_ONCE)
        ).all()
        if not rows:
            return
        entries: dict[UUID, list[object]] = {}
        for row in connection.execute(
            select(ledger_entries)
            .where(ledger_entries.c.membership_id.in_([row.id for row in rows]))
            .order_by(ledger_entries.c.number)
        ):
            entries.setdefault(row.membership_id, []).append(row)
        for row in rows:
            try:
                written = [entry_of(each) for each in entries.get(row.id, [])]  # type: ignore[arg-type] # rows of the ledger
                balance = balance_of((entry.draft, entry.booked_on) for entry in written)
                expected = projection(balance, row.time_zone)
            except (CoverageError, ValueError) as error:
                yield LedgerMismatch(row.id, f"the ledger contradicts itself: {error}")
                continue
            for name in _PROJECTED:
                if getattr(row, name) != expected[name]:
                    yield LedgerMismatch(row.id, f"{name} is {getattr(row, name)}, by the ledger {expected[name]}")
            if balance.coverage.days() != sum(balance.held.values()):
                yield LedgerMismatch(row.id, "days were moved that nobody held")
        after = rows[-1].id


def _orders(connection: Connection) -> Iterator[LedgerMismatch]:
    """Of each fulfilled order the ledger keeps what was paid less what was given back."""
    kept = (
        select(ledger_entries.c.order_id, func.sum(ledger_entries.c.amount).label("kept"))
        .where(ledger_entries.c.order_id.is_not(None))
        .group_by(ledger_entries.c.order_id)
        .subquery()
    )
    found = connection.execute(
        select(orders.c.id, orders.c.amount, orders.c.refunded, kept.c.kept)
        .outerjoin(kept, kept.c.order_id == orders.c.id)
        .where(orders.c.membership_id.is_not(None))
    )
    for row in found:
        if row.kept is None or int(row.kept) != row.amount - row.refunded:
            yield LedgerMismatch(row.id, f"{row.amount - row.refunded} are left of it, by the ledger {row.kept}")
