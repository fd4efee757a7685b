"""The ledger of a membership: what its rows are, and what they add up to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from domain.memberships.periods import Coverage, Period
from domain.money import Money


class EntryKind(StrEnum):
    """What a row is about."""

    OPENING = "opening"  # held before there was a ledger
    PURCHASE = "purchase"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"  # what was given back did not arrive: the days are there again
    REVERSAL = "reversal"  # of a payment at the desk, the same day
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    ADJUSTMENT = "adjustment"  # days given or taken by an admin
    BAN = "ban"
    UNBAN = "unban"


# These move days that somebody has; every other kind gives them or takes them back.
MOVES = frozenset({EntryKind.FREEZE, EntryKind.UNFREEZE, EntryKind.DISPUTE_OPENED, EntryKind.DISPUTE_WON})


_MONEY_BACK = frozenset({EntryKind.REFUND, EntryKind.REVERSAL, EntryKind.DISPUTE_LOST})


class Method(StrEnum):
    """How money came."""

    STRIPE = "stripe"
    CASH = "cash"
    CARD_TERMINAL = "card_terminal"


@dataclass(frozen=True, slots=True)
class Draft:
    """A row that is to be written.

    Args:
        kind: what it is about.
        period: the days that it grants or takes back; None: none.
        grants: whether it grants them.
        money: in, positive; out, negative.
        moves: its days are moved from or to another row of the same booking.
        order_id: from which payment.
        provider_id: the refund's or the dispute's own.
        freeze: what is frozen from now on; with a kind of `FREEZE` or `UNFREEZE` only.
        reverses_id: the booking that this one takes back.
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
        """Days granted; negative: taken back."""
        if self.period is None:
            return 0
        return self.period.days if self.grants else -self.period.days


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as it was written: who, what, why, from which payment, and the days. Never changed.

    Args:
        booking_id: shared by the rows that were written together.
        booked_on: the day, in the membership's time zone.
        by_id: None: the payment's provider, or the system by itself.
        method: how the money came or went.
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
    """What the rows of one membership add up to.

    Args:
        coverage: all days that were ever held and not taken back.
        starts_on: the first day ever granted; None before there is one.
        freeze: the latest freeze that has days behind it.
        disputes: those that are open.
        suspended_since: the day on which the first of them was opened.
        held: net days of each payment, in the order of their first grant; None: of none.
        frozen_days: how long each freeze lasted, by its first day.
        without_grace: it ended because its money was given back: no days of grace follow.
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
        """The first day that is not held any more."""
        return self.coverage.end or self.starts_on

    def counted_from(self, today: date) -> date:
        """The first day that is not used up: while a dispute suspends, none is."""
        return min(today, self.suspended_since) if self.suspended_since else today

    def unused(self, order_id: UUID | None, today: date) -> int:
        """How many days of one payment are not used up. Days are used in the order in which they were paid for."""
        used = self.coverage.days_before(self.counted_from(today))
        for order, days in self.held.items():
            left = max(0, days - used)
            if order == order_id:
                return left
            used -= days - left
        return 0

    def after(self, draft: Draft, booked_on: date) -> "LedgerBalance":
        """With one row more.

        Raises:
            CoverageError: the row contradicts those before it.
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
            freeze = None  # no day is left behind it
        return freeze, lasted


def balance_of(rows: Iterable[tuple[Draft, date]]) -> LedgerBalance:
    """What rows add up to, in the order in which they were written.

    Raises:
        CoverageError: they contradict one another.
    """
    balance = LedgerBalance()
    for draft, booked_on in rows:
        balance = balance.after(draft, booked_on)
    return balance


def money_kept(drafts: Iterable[Draft]) -> dict[str, int]:
    """Money in less money out, in minor units of each currency."""
    kept: dict[str, int] = {}
    for draft in drafts:
        if draft.money is not None:
            kept[draft.money.currency] = kept.get(draft.money.currency, 0) + draft.money.amount
    return kept
