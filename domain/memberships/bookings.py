"""What is booked when something happens to a membership: pure functions from an balance to rows.

The worked examples are those of docs/payments.md; each row states the days that it grants or takes back.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from domain.memberships.ledger import Draft, EntryKind, LedgerBalance
from domain.memberships.periods import Coverage, Period, days_from
from domain.memberships.refusals import MembershipProblem, MembershipRefusal
from domain.money import Money


@dataclass(frozen=True, slots=True)
class FreezeLimits:
    """How far a member may freeze by themselves, in days; an admin is bound by `LONGEST_FREEZE` alone."""

    at_once: int = 31
    within_a_year: int = 62
    ahead: int = 60


LONGEST_FREEZE = 366
LONGEST_AHEAD = timedelta(days=18_262)  # 50 years
# Days that are paid for are granted past `LONGEST_AHEAD` too, but not near the end of the calendar.
LONGEST_AHEAD_WHEN_PAID = 5 * LONGEST_AHEAD


def refuse_grant(
    balance: LedgerBalance, today: date, days: int, longest: timedelta = LONGEST_AHEAD
) -> MembershipRefusal | None:
    """Why so many days more are not granted; None when they are.

    Args:
        longest: how far ahead of today the membership may end.
    """
    room = (today + longest - _next_free(balance, today)).days
    return None if days <= room else _too_long(days, room, today + longest)


def purchase(balance: LedgerBalance, today: date, days: int, money: Money, order_id: UUID) -> list[Draft]:
    """Days paid for: from the present end on, or from today where that has passed."""
    start = _next_free(balance, today)
    return [Draft(EntryKind.PURCHASE, days_from(start, days), grants=True, money=money, order_id=order_id)]


def refund(
    balance: LedgerBalance, today: date, money: Money, order_id: UUID, paid: "Paid", provider_id: str | None = None
) -> list[Draft]:
    """Money given back takes back the days that it paid for, as far as they are not used up.

    Args:
        money: given back now, positive.
        paid: the payment and what was given back of it before.
    """
    share = paid.days_of(paid.refunded + money.amount) - paid.days_of(paid.refunded)
    days = min(share, balance.unused(order_id, today))
    if paid.refunded + money.amount >= paid.amount:
        days = balance.unused(order_id, today)
    return _taken_back(
        balance, today, days, EntryKind.REFUND, Money(-money.amount, money.currency), order_id, provider_id
    )


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment: what it was, for how many days, and how much of it was given back before."""

    amount: int
    days: int
    refunded: int = 0

    def days_of(self, amount: int) -> int:
        """How many days a part of it paid for, rounded down."""
        return self.days * amount // self.amount if self.amount else self.days


def refund_failed(
    balance: LedgerBalance, today: date, money: Money, days: int, order_id: UUID, provider_id: str
) -> list[Draft]:
    """A refund that did not arrive: the money is here again, and so are the days that it had taken back."""
    if not days:
        return [Draft(EntryKind.REFUND_FAILED, money=money, order_id=order_id, provider_id=provider_id)]
    period = days_from(_next_free(balance, today), days)
    return [
        Draft(EntryKind.REFUND_FAILED, period, grants=True, money=money, order_id=order_id, provider_id=provider_id)
    ]


def reversal(balance: LedgerBalance, today: date, money: Money, order_id: UUID, reverses_id: UUID) -> list[Draft]:
    """A payment at the desk that was a mistake: its days and its money, back."""
    days = balance.unused(order_id, today)
    out = Money(-money.amount, money.currency)
    return _taken_back(balance, today, days, EntryKind.REVERSAL, out, order_id, None, reverses_id)


def freeze(
    balance: LedgerBalance, today: date, wanted: Period, limits: FreezeLimits | None
) -> list[Draft] | MembershipRefusal:
    """Whole days without entry; the end moves by as many.

    Args:
        limits: of a member; None: an admin asks.
    """
    if refusal := _refuse_freeze(balance, today, wanted, limits):
        return refusal
    frozen = balance.coverage.within(wanted.start, wanted.end)
    taken = [Draft(EntryKind.FREEZE, part, moves=True, freeze=wanted) for part in frozen]
    left = _without(balance.coverage, frozen)
    start = max(left.end or wanted.end, wanted.end)
    days = sum(part.days for part in frozen)
    room = (today + LONGEST_AHEAD - start).days
    if days > room:
        return _too_long(days, room, today + LONGEST_AHEAD)
    return [*taken, Draft(EntryKind.FREEZE, days_from(start, days), grants=True, moves=True, freeze=wanted)]


def unfreeze(balance: LedgerBalance, today: date) -> list[Draft] | MembershipRefusal:
    """Enter again from today on: what is left of the freeze comes off the end."""
    frozen = balance.freeze
    if frozen is None or frozen.end <= today:
        return MembershipRefusal(MembershipProblem.NOT_FROZEN, "The membership is not frozen, nor about to be.")
    first = max(today, frozen.start)
    kept = Period(frozen.start, first) if first > frozen.start else None
    behind = balance.coverage.within(frozen.end, date.max)
    days = min((frozen.end - first).days, sum(part.days for part in behind))
    if not days:
        return [Draft(EntryKind.UNFREEZE, freeze=kept)]
    taken = balance.coverage.last(days, frozen.end)
    return [
        *(Draft(EntryKind.UNFREEZE, part, moves=True, freeze=kept) for part in taken),
        Draft(EntryKind.UNFREEZE, days_from(first, days), grants=True, moves=True, freeze=kept),
    ]


def dispute_opened(dispute_id: str, order_id: UUID) -> list[Draft]:
    """The payer's bank wants the money back: nobody enters by this membership until that is closed."""
    return [Draft(EntryKind.DISPUTE_OPENED, order_id=order_id, provider_id=dispute_id)]


def dispute_won(balance: LedgerBalance, today: date, dispute_id: str, order_id: UUID) -> list[Draft]:
    """The money stays: days withheld are given again, once no other dispute is open."""
    closing = Draft(EntryKind.DISPUTE_WON, order_id=order_id, provider_id=dispute_id)
    return [closing, *_withheld(balance, today, dispute_id, EntryKind.DISPUTE_WON)]


def dispute_lost(balance: LedgerBalance, today: date, dispute_id: str, order_id: UUID, money: Money) -> list[Draft]:
    """The money is gone, and with it the days that it paid for and that were not used up when the dispute began.

    Args:
        money: what the dispute took, positive.
    """
    out = Money(-money.amount, money.currency)
    days = balance.unused(order_id, today)
    taken = _taken_back(balance, today, days, EntryKind.DISPUTE_LOST, out, order_id, dispute_id)
    after = balance
    for draft in taken:
        after = _between(after, draft)
    return [*taken, *_withheld(after, today, dispute_id, EntryKind.DISPUTE_LOST)]


def adjustment(balance: LedgerBalance, today: date, days: int) -> list[Draft] | MembershipRefusal:
    """Days given by an admin, or taken back as far as they are not used up."""
    if days == 0:
        return []
    if days > 0:
        if refusal := refuse_grant(balance, today, days):
            return refusal
        return [Draft(EntryKind.ADJUSTMENT, days_from(_next_free(balance, today), days), grants=True)]
    ahead = sum(part.days for part in balance.coverage.within(balance.counted_from(today), date.max))
    return _taken_back(balance, today, min(-days, ahead), EntryKind.ADJUSTMENT, None, None, None)


def _too_long(days: int, room: int, latest: date) -> MembershipRefusal:
    advice = f"Use {room} days or fewer." if room > 0 else "Wait, or take days back first."
    return MembershipRefusal(
        MembershipProblem.TOO_LONG, f"{days} more days end after {latest}, the latest day that is allowed. {advice}"
    )


def _next_free(balance: LedgerBalance, today: date) -> date:
    """The first day that is neither past, nor held, nor frozen: a frozen day is none to use."""
    return max(today, balance.ends_on or today, balance.freeze.end if balance.freeze else today)


def _taken_back(
    balance: LedgerBalance,
    today: date,
    days: int,
    kind: EntryKind,
    money: Money | None,
    order_id: UUID | None,
    provider_id: str | None,
    reverses_id: UUID | None = None,
) -> list[Draft]:
    """Days off the end, the last ones first; the money stands in the first row."""
    periods: list[Period | None] = [*balance.coverage.last(days, balance.counted_from(today))] if days else [None]
    return [
        Draft(
            kind,
            period,
            money=money if number == 0 else None,
            order_id=order_id,
            provider_id=provider_id,
            reverses_id=reverses_id,
        )
        for number, period in enumerate(periods)
    ]


def _withheld(balance: LedgerBalance, today: date, dispute_id: str, kind: EntryKind) -> list[Draft]:
    """Days that passed in suspension, given again from today on or behind the end."""
    since = balance.suspended_since
    if since is None or balance.disputes - {dispute_id}:
        return []
    withheld = balance.coverage.within(since, today)
    if not withheld:
        return []
    left = _without(balance.coverage, withheld)
    frozen_until = balance.freeze.end if balance.freeze else today
    start = max(left.end or today, today, frozen_until)
    days = sum(part.days for part in withheld)
    return [
        *(Draft(kind, part, moves=True) for part in withheld),
        Draft(kind, days_from(start, days), grants=True, moves=True),
    ]


def _between(balance: LedgerBalance, draft: Draft) -> LedgerBalance:
    """The balance after a row of a booking, with the dispute still open."""
    after = balance.after(draft, date.min)
    return replace(after, disputes=balance.disputes, suspended_since=balance.suspended_since)


def _without(coverage: Coverage, periods: list[Period]) -> Coverage:
    for period in periods:
        coverage = coverage.without(period)
    return coverage


def _refuse_freeze(
    balance: LedgerBalance, today: date, wanted: Period, limits: FreezeLimits | None
) -> MembershipRefusal | None:
    if balance.suspended_since is not None:
        return MembershipRefusal(
            MembershipProblem.SUSPENDED, "A payment is disputed; until that is closed there is nothing to freeze."
        )
    if balance.freeze is not None and balance.freeze.end > today:
        frozen = balance.freeze
        return MembershipRefusal(
            MembershipProblem.ALREADY_FROZEN,
            f"A freeze from {frozen.start} until {frozen.end} is there already. End it first.",
        )
    if wanted.start < today:
        return MembershipRefusal(MembershipProblem.FREEZE_TOO_LONG, "A freeze begins today or later.")
    if not balance.coverage.within(wanted.start, wanted.start + timedelta(days=1)):
        return MembershipRefusal(
            MembershipProblem.NOTHING_TO_FREEZE, "No day that is paid for is left there: nothing is left to freeze."
        )
    if wanted.days > LONGEST_FREEZE:
        return MembershipRefusal(MembershipProblem.FREEZE_TOO_LONG, f"A freeze lasts {LONGEST_FREEZE} days at most.")
    return _refuse_member(balance, today, wanted, limits) if limits is not None else None


def _refuse_member(
    balance: LedgerBalance, today: date, wanted: Period, limits: FreezeLimits
) -> MembershipRefusal | None:
    year_ago = today - timedelta(days=365)
    lately = sum(days for start, days in balance.frozen_days.items() if start >= year_ago)
    too_long = MembershipProblem.FREEZE_TOO_LONG
    if wanted.days > limits.at_once:
        return MembershipRefusal(too_long, f"Members freeze {limits.at_once} days at most at once; an admin can more.")
    if lately + wanted.days > limits.within_a_year:
        left = max(0, limits.within_a_year - lately)
        return MembershipRefusal(
            too_long, f"Members freeze {limits.within_a_year} days a year at most; {left} are left. An admin can more."
        )
    if (wanted.start - today).days > limits.ahead:
        return MembershipRefusal(too_long, f"A freeze begins within {limits.ahead} days.")
    return None
