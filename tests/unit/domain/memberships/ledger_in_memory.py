"""A ledger in memory, written by the same functions as the one in the store."""

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID, uuid4

from domain.memberships import ledger_rules
from domain.memberships.ledger import Draft, LedgerBalance, balance_of
from domain.memberships.ledger_rules import FreezeLimits, Paid
from domain.memberships.periods import Period, days_from
from domain.memberships.refusals import MembershipRefusal
from domain.money import Money

D0 = date(2026, 3, 1)


def day(number: int) -> date:
    return D0 + timedelta(days=number)


def euro(cents: int) -> Money:
    return Money(cents, "EUR")


class Books:
    def __init__(self) -> None:
        self.rows: list[tuple[Draft, date]] = []
        self.orders: dict[UUID, Paid] = {}
        self.today = D0

    @property
    def account(self) -> LedgerBalance:
        return balance_of(self.rows)

    @property
    def ends(self) -> int | None:
        ends_on = self.account.ends_on
        return (ends_on - D0).days if ends_on else None

    def write(self, drafts: Sequence[Draft] | MembershipRefusal) -> Sequence[Draft] | MembershipRefusal:
        if not isinstance(drafts, MembershipRefusal):
            self.rows += [(draft, self.today) for draft in drafts]
            balance_of(self.rows)
        return drafts

    def on(self, number: int) -> "Books":
        self.today = day(number)
        return self

    def buy(self, days: int = 30, cents: int = 1000) -> UUID:
        order = uuid4()
        self.orders[order] = Paid(cents, days)
        self.write(ledger_rules.purchase(self.account, self.today, days, euro(cents), order))
        return order

    def refund(self, order: UUID, cents: int | None = None) -> None:
        paid = self.orders[order]
        amount = paid.amount - paid.refunded if cents is None else cents
        self.write(ledger_rules.refund(self.account, self.today, euro(amount), order, paid, f"re_{uuid4()}"))
        self.orders[order] = Paid(paid.amount, paid.days, paid.refunded + amount)

    def freeze(
        self, days: int, start: int | None = None, limits: FreezeLimits | None = None
    ) -> Sequence[Draft] | MembershipRefusal:
        period: Period = days_from(self.today if start is None else day(start), days)
        return self.write(ledger_rules.freeze(self.account, self.today, period, limits))

    def unfreeze(self) -> Sequence[Draft] | MembershipRefusal:
        return self.write(ledger_rules.unfreeze(self.account, self.today))

    def dispute(self, order: UUID, dispute_id: str = "dp_1") -> None:
        self.write(ledger_rules.dispute_opened(dispute_id, order))

    def win(self, order: UUID, dispute_id: str = "dp_1") -> None:
        self.write(ledger_rules.dispute_won(self.account, self.today, dispute_id, order))

    def lose(self, order: UUID, dispute_id: str = "dp_1") -> None:
        paid = self.orders[order]
        left = euro(paid.amount - paid.refunded)
        self.write(ledger_rules.dispute_lost(self.account, self.today, dispute_id, order, left))
        self.orders[order] = Paid(paid.amount, paid.days, paid.amount)
