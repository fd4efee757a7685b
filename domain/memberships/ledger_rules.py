"""Rules of the ledger: the entries that a purchase, freeze, refund or dispute writes. Pure functions.

docs/payments.md has worked examples. Each entry states the days that it grants or takes back.
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
    """How long members may freeze, in days. Admins are only limited by `LONGEST_FREEZE`."""

    at_once: int = 31
    within_a_year: int = 62
    ahead: int = 60


LONGEST_FREEZE = 366
LONGEST_AHEAD = timedelta(days=18_262)  # 50 years
# Paid days are granted beyond `LONGEST_AHEAD` too, but not near the end of the calendar.
LONGEST_AHEAD_WHEN_PAID = 5 * LONGEST_AHEAD


def refuse_grant(
    balance: LedgerBalance, today: date, days: int, longest: timedelta = LONGEST_AHEAD
) -> MembershipRefusal | None:
    """Why a grant of days is refused; None if it is not.

    Args:
        longest: how far in the future the membership may end.
    """
    room = (today + longest - _next_free(balance, today)).days
    return None if days <= room else _too_long(days, room, today + longest)


def purchase(balance: LedgerBalance, today: date, days: int, money: Money, order_id: UUID) -> list[Draft]:
    """Paid days: they begin at the present end, or today if that has passed."""
    start = _next_free(balance, today)
    return [Draft(EntryKind.PURCHASE, days_from(start, days), grants=True, money=money, order_id=order_id)]


def refund(
    balance: LedgerBalance, today: date, money: Money, order_id: UUID, paid: "Paid", provider_id: str | None = None
) -> list[Draft]:
    """A refund takes back the days that the money paid for, as far as they are unused.

    Args:
        money: the refund, positive.
        paid: the payment with its earlier refunds.
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
    """A payment: its amount, its days, and the sum of its earlier refunds."""

    amount: int
    days: int
    refunded: int = 0

    def days_of(self, amount: int) -> int:
        """The days that a part of the amount paid for, rounded down."""
        return self.days * amount // self.amount if self.amount else self.days


def refund_failed(
    balance: LedgerBalance, today: date, money: Money, days: int, order_id: UUID, provider_id: str
) -> list[Draft]:
    """A refund that failed: money and days come back."""
    if not days:
        return [Draft(EntryKind.REFUND_FAILED, money=money, order_id=order_id, provider_id=provider_id)]
    period = days_from(_next_free(balance, today), days)
    return [
        Draft(EntryKind.REFUND_FAILED, period, grants=True, money=money, order_id=order_id, provider_id=provider_id)
    ]


def reversal(balance: LedgerBalance, today: date, money: Money, order_id: UUID, reverses_id: UUID) -> list[Draft]:
    """A reversal of a payment at the desk takes back its money and its unused days."""
    days = balance.unused(order_id, today)
    out = Money(-money.amount, money.currency)
    return _taken_back(balance, today, days, EntryKind.REVERSAL, out, order_id, None, reverses_id)


def freeze(
    balance: LedgerBalance, today: date, requested: Period, limits: FreezeLimits | None
) -> list[Draft] | MembershipRefusal:
    """A freeze for whole days. The membership ends as many days later.

    Args:
        limits: of a member; None: of an admin, who has none.
    """
    if refusal := _refuse_freeze(balance, today, requested, limits):
        return refusal
    frozen = balance.coverage.within(requested.start, requested.end)
    taken = [Draft(EntryKind.FREEZE, part, moves=True, freeze=requested) for part in frozen]
    left = _without(balance.coverage, frozen)
    start = max(left.end or requested.end, requested.end)
    days = sum(part.days for part in frozen)
    room = (today + LONGEST_AHEAD - start).days
    if days > room:
        return _too_long(days, room, today + LONGEST_AHEAD)
    return [*taken, Draft(EntryKind.FREEZE, days_from(start, days), grants=True, moves=True, freeze=requested)]


def unfreeze(balance: LedgerBalance, today: date) -> list[Draft] | MembershipRefusal:
    """The end of a freeze from today on. The remaining frozen days come off the end."""
    frozen = balance.freeze
    if frozen is None or frozen.end <= today:
        return MembershipRefusal(
            MembershipProblem.NOT_FROZEN, "The membership is not frozen, and no freeze is planned."
        )
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
    """A dispute by the payer's bank suspends the membership until it is closed."""
    return [Draft(EntryKind.DISPUTE_OPENED, order_id=order_id, provider_id=dispute_id)]


def dispute_won(balance: LedgerBalance, today: date, dispute_id: str, order_id: UUID) -> list[Draft]:
    """A dispute was won: withheld days come back, unless another dispute is open."""
    closing = Draft(EntryKind.DISPUTE_WON, order_id=order_id, provider_id=dispute_id)
    return [closing, *_withheld(balance, today, dispute_id, EntryKind.DISPUTE_WON)]


def dispute_lost(balance: LedgerBalance, today: date, dispute_id: str, order_id: UUID, money: Money) -> list[Draft]:
    """A dispute was lost: the money is gone, with its days that were unused when the dispute began.

    Args:
        money: the disputed amount, positive.
    """
    out = Money(-money.amount, money.currency)
    days = balance.unused(order_id, today)
    taken = _taken_back(balance, today, days, EntryKind.DISPUTE_LOST, out, order_id, dispute_id)
    after = balance
    for draft in taken:
        after = _between(after, draft)
    return [*taken, *_withheld(after, today, dispute_id, EntryKind.DISPUTE_LOST)]


def adjustment(balance: LedgerBalance, today: date, days: int) -> list[Draft] | MembershipRefusal:
    """An adjustment by an admin: grants days, or takes back unused ones."""
    if days == 0:
        return []
    if days > 0:
        if refusal := refuse_grant(balance, today, days):
            return refusal
        return [Draft(EntryKind.ADJUSTMENT, days_from(_next_free(balance, today), days), grants=True)]
    ahead = sum(part.days for part in balance.coverage.within(balance.counted_from(today), date.max))
    return _taken_back(balance, today, min(-days, ahead), EntryKind.ADJUSTMENT, None, None, None)


def _too_long(days: int, room: int, latest: date) -> MembershipRefusal:
    advice = f"Use {room} days or fewer." if room > 0 else "Take days back first, or wait."
    return MembershipRefusal(
        MembershipProblem.TOO_LONG, f"{days} more days end after {latest}, the last day that is allowed. {advice}"
    )


def _next_free(balance: LedgerBalance, today: date) -> date:
    """The first day that is not past, granted or frozen."""
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
    """Days off the end, the last ones first. The first entry has the money."""
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
    """Days that passed during a suspension come back, from today or from the end on."""
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
    """The balance after one draft of a booking, with the dispute still open."""
    after = balance.after(draft, date.min)
    return replace(after, disputes=balance.disputes, suspended_since=balance.suspended_since)


def _without(coverage: Coverage, periods: list[Period]) -> Coverage:
    for period in periods:
        coverage = coverage.without(period)
    return coverage


def _refuse_freeze(
    balance: LedgerBalance, today: date, requested: Period, limits: FreezeLimits | None
) -> MembershipRefusal | None:
    if balance.suspended_since is not None:
        return MembershipRefusal(
            MembershipProblem.SUSPENDED, "A payment is disputed. Freeze after the dispute is closed."
        )
    if balance.freeze is not None and balance.freeze.end > today:
        frozen = balance.freeze
        return MembershipRefusal(
            MembershipProblem.ALREADY_FROZEN,
            f"There is already a freeze from {frozen.start} until {frozen.end}. End it first.",
        )
    if requested.start < today:
        return MembershipRefusal(MembershipProblem.FREEZE_TOO_LONG, "A freeze must begin today or later.")
    if not balance.coverage.within(requested.start, requested.start + timedelta(days=1)):
        return MembershipRefusal(MembershipProblem.NOTHING_TO_FREEZE, "There is no paid day to freeze then.")
    if requested.days > LONGEST_FREEZE:
        return MembershipRefusal(MembershipProblem.FREEZE_TOO_LONG, f"A freeze lasts at most {LONGEST_FREEZE} days.")
    return _refuse_member(balance, today, requested, limits) if limits is not None else None


def _refuse_member(
    balance: LedgerBalance, today: date, requested: Period, limits: FreezeLimits
) -> MembershipRefusal | None:
    year_ago = today - timedelta(days=365)
    lately = sum(days for start, days in balance.frozen_days.items() if start >= year_ago)
    too_long = MembershipProblem.FREEZE_TOO_LONG
    if requested.days > limits.at_once:
        return MembershipRefusal(
            too_long, f"Members can freeze at most {limits.at_once} days at once. Admins can freeze more."
        )
    if lately + requested.days > limits.within_a_year:
        left = max(0, limits.within_a_year - lately)
        return MembershipRefusal(
            too_long,
            f"Members can freeze at most {limits.within_a_year} days a year; {left} are left. Admins can freeze more.",
        )
    if (requested.start - today).days > limits.ahead:
        return MembershipRefusal(too_long, f"A freeze must begin within {limits.ahead} days.")
    return None
