"""Memberships and their ledger in the database. Lock the member before booking."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, insert, select, update

from domain.identity.tables import users
from domain.ids import new_id
from domain.memberships.booked_membership import BookedMembership, BookingOrigin, projection
from domain.memberships.days import day_of
from domain.memberships.ledger import Draft, Entry, EntryKind, LedgerBalance, Method, balance_of
from domain.memberships.periods import Period
from domain.memberships.plan_repository import PlanRepository
from domain.memberships.plans import Plan
from domain.memberships.tables import ledger_entries, memberships
from domain.money import Money
from domain.paging import Page, PageRequest, page
from domain.payments.tables import orders

_PROJECTED = ("starts_at", "ends_at", "frozen_from", "frozen_until", "in_arrears_since", "without_grace")


@dataclass(frozen=True, slots=True)
class StoredMembership:
    """The row of a membership with the rows of its ledger, as they are stored.

    Args:
        columns: those that follow from the ledger.
    """

    id: UUID
    time_zone: str
    columns: dict[str, Any]
    rows: list[Row[*tuple[Any, ...]]]

    def entries(self) -> list[Entry]:
        """The entries of the ledger.

        Raises:
            ValueError: a row makes no sense.
        """
        return [entry_of(row) for row in self.rows]


class LedgerRepository:
    """Reads memberships and writes bookings in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._plans = PlanRepository(connection)

    def lock_member(self, member_id: UUID) -> bool:
        """Lock a member until the unit of work ends; False if there is none."""
        query = select(users.c.id).where(users.c.id == member_id).with_for_update()
        return self._connection.execute(query).first() is not None

    def held_by(self, member_id: UUID) -> list[BookedMembership]:
        """The memberships of a member, oldest first."""
        query = select(memberships).where(memberships.c.member_id == member_id).order_by(memberships.c.id)
        return [self._held(row) for row in self._connection.execute(query).all()]

    def held(self, membership_id: UUID) -> BookedMembership | None:
        """One membership."""
        row = self._connection.execute(select(memberships).where(memberships.c.id == membership_id)).one_or_none()
        return self._held(row) if row else None

    def covering(self, member_id: UUID, plan: Plan) -> BookedMembership | None:
        """The membership of a member that is valid where a plan is; None if there is none."""
        return next((held for held in self.held_by(member_id) if held.plan.covers == plan.covers), None)

    def to_prolong(self, member_id: UUID, plan: Plan, now: datetime) -> BookedMembership:
        """The membership that a purchase of a plan extends; created if there is none."""
        held = self.covering(member_id, plan)
        if held is not None:
            if held.plan.id != plan.id:
                self._connection.execute(update(memberships).where(memberships.c.id == held.id).values(plan_id=plan.id))
            return BookedMembership(held.id, member_id, plan, held.time_zone, held.balance)
        made = BookedMembership(new_id(), member_id, plan, self._plans.time_zone_of(plan), LedgerBalance())
        self._connection.execute(
            insert(memberships).values(
                id=made.id,
                member_id=member_id,
                plan_id=plan.id,
                time_zone=made.time_zone,
                starts_at=now,  # the booking in this unit of work sets both
                ends_at=now,
                created_at=now,
            )
        )
        return made

    def book(self, held: BookedMembership, drafts: Sequence[Draft], who: BookingOrigin, now: datetime) -> UUID:
        """Write entries, and the columns of the membership that follow from them.

        Raises:
            CoverageError: the entries contradict earlier ones.
            sqlalchemy.exc.IntegrityError: the effect was booked before.
        """
        today = held.today(now)
        balance = held.balance
        for draft in drafts:
            balance = balance.after(draft, today)
        booking_id = self._write(held.member_id, held.id, drafts, who, today, now)
        projected = projection(balance, held.time_zone)
        self._connection.execute(update(memberships).where(memberships.c.id == held.id).values(**projected))
        return booking_id

    def booking_of(self, effect: str) -> UUID:
        """The booking that made an effect.

        Raises:
            sqlalchemy.exc.NoResultFound: there is none.
        """
        query = select(ledger_entries.c.booking_id).where(ledger_entries.c.effect == effect)
        booking_id: UUID = self._connection.execute(query).scalar_one()
        return booking_id

    def desk_entries(self, begin: datetime, end: datetime) -> list[tuple[UUID, Method, EntryKind, Money]]:
        """The money that staff took or gave back at desks in `[begin, end)`: who, how, why, how much."""
        rows = self._connection.execute(
            select(ledger_entries)
            .where(
                ledger_entries.c.method.in_([Method.CASH, Method.CARD_TERMINAL]),
                ledger_entries.c.amount.is_not(None),
                ledger_entries.c.created_at >= begin,
                ledger_entries.c.created_at < end,
                ledger_entries.c.by_id.is_not(None),
            )
            .order_by(ledger_entries.c.id)
        )
        return [(row.by_id, Method(row.method), EntryKind(row.kind), Money(row.amount, row.currency)) for row in rows]

    def stored(self, after: UUID, limit: int) -> list[StoredMembership]:
        """The memberships that follow an id, with their ledgers."""
        query = select(memberships).where(memberships.c.id > after).order_by(memberships.c.id).limit(limit)
        found = self._connection.execute(query).all()
        rows: dict[UUID, list[Row[*tuple[Any, ...]]]] = {row.id: [] for row in found}
        entries = select(ledger_entries).where(ledger_entries.c.membership_id.in_(rows))
        for row in self._connection.execute(entries.order_by(ledger_entries.c.number)) if found else ():
            rows[row.membership_id].append(row)
        return [
            StoredMembership(row.id, row.time_zone, {name: getattr(row, name) for name in _PROJECTED}, rows[row.id])
            for row in found
        ]

    def kept_of_orders(self) -> Iterator[tuple[UUID, int, int | None]]:
        """Of each fulfilled order: what was paid less what was refunded, and the same by the ledger."""
        kept = (
            select(ledger_entries.c.order_id, func.sum(ledger_entries.c.amount).label("kept"))
            .where(ledger_entries.c.order_id.is_not(None))
            .group_by(ledger_entries.c.order_id)
            .subquery()
        )
        found = self._connection.execute(
            select(orders.c.id, orders.c.amount, orders.c.refunded, kept.c.kept)
            .outerjoin(kept, kept.c.order_id == orders.c.id)
            .where(orders.c.membership_id.is_not(None))
        )
        for row in found:
            yield row.id, row.amount - row.refunded, None if row.kept is None else int(row.kept)

    def note(self, member_id: UUID, kind: EntryKind, who: BookingOrigin, now: datetime) -> UUID:
        """Write an entry about a member that changes no days."""
        return self._write(member_id, None, [Draft(kind)], who, day_of(now, "UTC"), now)

    def entries(self, member_id: UUID, request: PageRequest) -> Page[Entry]:
        """The entries of a member, newest first."""
        query = select(ledger_entries).where(ledger_entries.c.member_id == member_id)
        if request.after is not None:
            query = query.where(ledger_entries.c.id < request.after)
        rows = self._connection.execute(query.order_by(ledger_entries.c.id.desc()).limit(request.fetch)).all()
        return page([entry_of(row) for row in rows], request, lambda entry: entry.id)

    def _write(
        self,
        member_id: UUID,
        membership_id: UUID | None,
        drafts: Sequence[Draft],
        who: BookingOrigin,
        today: date,
        now: datetime,
    ) -> UUID:
        booking_id = new_id()
        last: int | None = self._connection.execute(
            select(func.max(ledger_entries.c.number)).where(ledger_entries.c.member_id == member_id)
        ).scalar_one()
        rows = [
            {
                "id": new_id(),
                "booking_id": booking_id,
                "number": (last or 0) + 1 + place,
                "effect": who.effect if place == 0 else None,
                "member_id": member_id,
                "membership_id": membership_id,
                "booked_on": today.isoformat(),
                "by_id": who.by_id,
                "reason": who.reason,
                "method": who.method,
                "created_at": now,
                **_columns(draft),
            }
            for place, draft in enumerate(drafts)
        ]
        self._connection.execute(insert(ledger_entries), rows)
        return booking_id

    def _held(self, row: Row[*tuple[Any, ...]]) -> BookedMembership:
        plan = self._plans.plan(row.plan_id)
        assert plan is not None  # noqa: S101 - a foreign key holds it
        return BookedMembership(row.id, row.member_id, plan, row.time_zone, self._balance(row.id))

    def _balance(self, membership_id: UUID) -> LedgerBalance:
        query = (
            select(ledger_entries)
            .where(ledger_entries.c.membership_id == membership_id)
            .order_by(ledger_entries.c.number)
        )
        rows = [entry_of(row) for row in self._connection.execute(query)]
        return balance_of((entry.draft, entry.booked_on) for entry in rows)


def entry_of(row: Row[*tuple[Any, ...]]) -> Entry:
    """An entry from its row."""
    draft = Draft(
        kind=EntryKind(row.kind),
        period=_period(row.from_day, row.until_day),
        grants=row.days > 0,
        money=Money(row.amount, row.currency) if row.amount is not None else None,
        moves=row.moves,
        order_id=row.order_id,
        provider_id=row.provider_id,
        freeze=_period(row.freeze_from, row.freeze_until),
        reverses_id=row.reverses_id,
    )
    return Entry(
        id=row.id,
        booking_id=row.booking_id,
        member_id=row.member_id,
        membership_id=row.membership_id,
        draft=draft,
        booked_on=date.fromisoformat(row.booked_on),
        by_id=row.by_id,
        reason=row.reason,
        method=Method(row.method) if row.method else None,
        created_at=row.created_at,
    )


def _columns(draft: Draft) -> dict[str, object]:
    period, freeze, money = draft.period, draft.freeze, draft.money
    return {
        "kind": draft.kind,
        "from_day": period.start.isoformat() if period else None,
        "until_day": period.end.isoformat() if period else None,
        "days": draft.days,
        "moves": draft.moves,
        "freeze_from": freeze.start.isoformat() if freeze else None,
        "freeze_until": freeze.end.isoformat() if freeze else None,
        "amount": money.amount if money else None,
        "currency": money.currency if money else None,
        "order_id": draft.order_id,
        "provider_id": draft.provider_id,
        "reverses_id": draft.reverses_id,
    }


def _period(start: str | None, end: str | None) -> Period | None:
    return Period(date.fromisoformat(start), date.fromisoformat(end)) if start and end else None
