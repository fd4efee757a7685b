"""The ledger of a membership: its entries and their balance."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from domain.memberships.periods import Coverage, Period
from domain.money import Money


class EntryKind(StrEnum):
    """Kinds of entries."""

    OPENING = "opening"  # granted before there was a ledger
    PURCHASE = "purchase"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"  # the refund did not arrive, so the days come back
    REVERSAL = "reversal"  # of a payment at the desk, on the same day
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    ADJUSTMENT = "adjustment"  # days granted or taken back by an admin
    BAN = "ban"
    UNBAN = "unban"


_MONEY_BACK = frozenset({EntryKind.REFUND, EntryKind.REVERSAL, EntryKind.DISPUTE_LOST})


class Method(StrEnum):
    """Payment methods."""

    STRIPE = "stripe"
    CASH = "cash"
    CARD_TERMINAL = "card_terminal"


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it is written.

    Args:
        period: the days that it grants or takes back.
        grants: whether it grants them.
        money: positive if received, negative if given back.
        moves: its days move from or to another entry of the same booking.
        order_id: the paid order.
        provider_id: of the refund or the dispute at the provider.
        freeze: the freeze from now on; only of the kinds `FREEZE` and `UNFREEZE`.
        reverses_id: the booking that this one reverses.
    """

    kind: EntryKind
    period: Period | None = None
    grants: bool = False
    money: Money | None = None
    moves: bool = False
    order_id: UUID | None = None
    provider_id: str | None = None
    freeze: Period | None = None
    reverses_id: UUID | None = None

    @property
    def days(self) -> int:
        """The number of days granted; negative if they are taken back."""
        if self.period is None:
            return 0
        return self.period.days if self.grants else -self.period.days


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it was written. It never changes.

    Args:
        booking_id: shared by the entries that were written together.
        booked_on: the day in the time zone of the membership.
        by_id: who made it; None: the payment provider or the system.
        method: of the payment.
    """

    id: UUID
    booking_id: UUID
    member_id: UUID
    membership_id: UUID | None
    draft: Draft
    booked_on: date
    by_id: UUID | None
    reason: str
    method: Method | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class LedgerBalance:
    """The sum of the entries of one membership.

    Args:
        coverage: all days that were granted and not taken back.
        starts_on: the first day ever granted; None before the first grant.
        freeze: the latest freeze that has days after it.
        disputes: ids of the open ones.
        suspended_since: the day on which the first open dispute began.
        held: net days of each order, in the order of their first grant; the key None is for days without an order.
        frozen_days: how long each freeze lasted, by its first day.
        without_grace: the membership ended by a refund, so no grace period follows.
    """

    coverage: Coverage = field(default_factory=Coverage)
    starts_on: date | None = None
    freeze: Period | None = None
    disputes: frozenset[str] = frozenset()
    suspended_since: date | None = None
    held: dict[UUID | None, int] = field(default_factory=dict)
    frozen_days: dict[date, int] = field(default_factory=dict)
    without_grace: bool = False

    @property
    def ends_on(self) -> date | None:
        """The first day that is not granted."""
        return self.coverage.end or self.starts_on

    def counted_from(self, today: date) -> date:
        """The first unused day: today, or the begin of a suspension, during which no day is used."""
        return min(today, self.suspended_since) if self.suspended_since else today

    def unused(self, order_id: UUID | None, today: date) -> int:
        """The unused days of one order. Days are used in the order of their payments."""
        used = self.coverage.days_before(self.counted_from(today))
        for order, days in self.held.items():
            left = max(0, days - used)
            if order == order_id:
                return left
            used -= days - left
        return 0

    def after(self, draft: Draft, booked_on: date) -> "LedgerBalance":
        """The balance after one more entry.

        Raises:
            CoverageError: the entry contradicts earlier ones.
        """
        coverage = self.coverage
        if draft.period is not None:
            coverage = coverage.with_(draft.period) if draft.grants else coverage.without(draft.period)
        starts_on = self.starts_on
        if draft.period is not None and draft.grants:
            starts_on = min(starts_on or draft.period.start, draft.period.start)
        held = dict(self.held)
        if draft.days and not draft.moves:
            held[draft.order_id] = held.get(draft.order_id, 0) + draft.days
        disputes, since = self._disputes_after(draft, booked_on)
        freeze, frozen_days = self._freeze_after(draft, coverage)
        without_grace = self.without_grace
        if draft.days:
            ended = (coverage.end or booked_on) <= booked_on
            without_grace = draft.days < 0 and draft.kind in _MONEY_BACK and ended
        return LedgerBalance(coverage, starts_on, freeze, disputes, since, held, frozen_days, without_grace)

    def _disputes_after(self, draft: Draft, booked_on: date) -> tuple[frozenset[str], date | None]:
        disputes, since = self.disputes, self.suspended_since
        if draft.provider_id is None:
            return disputes, since
        if draft.kind is EntryKind.DISPUTE_OPENED:
            return disputes | {draft.provider_id}, since or booked_on
        if draft.kind in {EntryKind.DISPUTE_WON, EntryKind.DISPUTE_LOST}:
            disputes -= {draft.provider_id}
        return disputes, since if disputes else None

    def _freeze_after(self, draft: Draft, coverage: Coverage) -> tuple[Period | None, dict[date, int]]:
        freeze, lasted = self.freeze, self.frozen_days
        if draft.kind is EntryKind.FREEZE and draft.freeze is not None:
            freeze = draft.freeze
            lasted = {**lasted, freeze.start: freeze.days}
        elif draft.kind is EntryKind.UNFREEZE and freeze is not None:
            days = draft.freeze.days if draft.freeze else 0
            lasted, freeze = {**lasted, freeze.start: days}, draft.freeze
        elif freeze and draft.days < 0 and not draft.moves and (coverage.end or date.min) <= freeze.start:
            freeze = None  # no day is left after it
        return freeze, lasted


def balance_of(rows: Iterable[tuple[Draft, date]]) -> LedgerBalance:
    """The balance of entries, in the order in which they were written.

    Raises:
        CoverageError: they contradict each other.
    """
    balance = LedgerBalance()
    for draft, booked_on in rows:
        balance = balance.after(draft, booked_on)
    return balance


def money_kept(drafts: Iterable[Draft]) -> dict[str, int]:
    """Money received minus money given back, in minor units, by currency."""
    kept: dict[str, int] = {}
    for draft in drafts:
        if draft.money is not None:
            kept[draft.money.currency] = kept.get(draft.money.currency, 0) + draft.money.amount
    return kept
