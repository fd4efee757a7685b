"""Whatever happens in whatever order: no paid day is lost, none is given away, and the money adds up."""

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.memberships.ledger import EntryKind, money_kept
from domain.memberships.refusals import MembershipRefusal
from tests.unit.domain.memberships.ledger_in_memory import D0, Books


class Desk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.books = Books()
        self.now = 0
        self.disputed: dict[str, UUID] = {}
        self.money_in = 0
        self.money_out = 0

    def _pick(self, data: st.DataObject) -> UUID:
        return data.draw(st.sampled_from(list(self.books.orders)))

    @rule(days=st.integers(1, 40))
    def time_passes(self, days: int) -> None:
        self.now += days
        self.books.on(self.now)

    @rule(days=st.integers(1, 90), cents=st.integers(1, 5000))
    def buy(self, days: int, cents: int) -> None:
        ends_before = self.books.account.ends_on
        order = self.books.buy(days, cents)
        self.money_in += cents
        assert self.books.account.unused(order, self.books.today) == days
        assert ends_before is None or self.books.account.ends_on is not None
        if ends_before is not None and self.books.account.freeze is None and not self.disputed:
            assert (self.books.account.ends_on or D0) == date.fromordinal(
                max(ends_before, self.books.today).toordinal() + days
            )

    @precondition(lambda self: self.books.orders)
    @rule(data=st.data())
    def refund(self, data: st.DataObject) -> None:
        order = self._pick(data)
        paid = self.books.orders[order]
        left = paid.amount - paid.refunded
        if left and order not in self.disputed.values():
            cents = data.draw(st.integers(1, left))
            unused = self.books.account.unused(order, self.books.today)
            others = self._others_unused(order)
            self.books.refund(order, cents)
            taken = unused - self.books.account.unused(order, self.books.today)
            assert 0 <= taken <= unused
            assert taken == unused if cents == left else taken <= -(-paid.days * cents // paid.amount)
            assert self._others_unused(order) == others  # nobody else's days pay for it
            self.money_out += cents

    @rule(days=st.integers(1, 40), ahead=st.integers(0, 20))
    def freeze(self, days: int, ahead: int) -> None:
        ends_before = self.books.account.ends_on
        if not isinstance(self.books.freeze(days, start=self.now + ahead), MembershipRefusal):
            assert ends_before is not None
            ends_on = self.books.account.ends_on
            assert ends_on is not None
            # Gaps that disputes left behind the start may swallow a part of the move.
            assert 0 < (ends_on - ends_before).days <= days

    @rule()
    def unfreeze(self) -> None:
        self.books.unfreeze()

    @precondition(lambda self: self.books.orders)
    @rule(data=st.data())
    def dispute(self, data: st.DataObject) -> None:
        order = self._pick(data)
        if order not in self.disputed.values() and self.books.orders[order].refunded < self.books.orders[order].amount:
            dispute_id = f"dp_{len(self.books.rows)}"
            self.books.dispute(order, dispute_id)
            self.disputed[dispute_id] = order

    @precondition(lambda self: self.disputed)
    @rule(data=st.data(), won=st.booleans())
    def close_dispute(self, data: st.DataObject, won: bool) -> None:  # noqa: FBT001 - Hypothesis passes it
        dispute_id = data.draw(st.sampled_from(list(self.disputed)))
        order = self.disputed.pop(dispute_id)
        unused = {each: self.books.account.unused(each, self.books.today) for each in self.books.orders}
        if won:
            self.books.win(order, dispute_id)
        else:
            paid = self.books.orders[order]
            self.money_out += paid.amount - paid.refunded
            self.books.lose(order, dispute_id)
            unused[order] = 0
        after = {each: self.books.account.unused(each, self.books.today) for each in self.books.orders}
        assert after == unused

    def _others_unused(self, order: UUID) -> dict[UUID, int]:
        account = self.books.account
        return {each: account.unused(each, self.books.today) for each in self.books.orders if each != order}

    @invariant()
    def covered_is_what_is_held(self) -> None:
        account = self.books.account
        assert account.coverage.days() == sum(account.held.values())
        assert all(days >= 0 for days in account.held.values())

    @invariant()
    def moves_add_up_to_nothing(self) -> None:
        assert sum(draft.days for draft, _ in self.books.rows if draft.moves) == 0

    @invariant()
    def money_in_is_money_out_and_money_kept(self) -> None:
        kept = money_kept(draft for draft, _ in self.books.rows).get("EUR", 0)
        assert self.money_in == self.money_out + kept
        assert kept >= 0

    @invariant()
    def nobody_has_more_days_than_were_paid_for(self) -> None:
        account = self.books.account
        for order, paid in self.books.orders.items():
            assert account.held.get(order, 0) <= paid.days

    @invariant()
    def a_frozen_day_is_not_a_covered_one(self) -> None:
        frozen = self.books.account.freeze
        if frozen is not None:
            assert not self.books.account.coverage.within(frozen.start, frozen.end)

    @invariant()
    def disputes_that_are_open_suspend(self) -> None:
        assert self.books.account.disputes == set(self.disputed)
        assert (self.books.account.suspended_since is None) == (not self.disputed)
        kinds = [draft.kind for draft, _ in self.books.rows]
        assert kinds.count(EntryKind.DISPUTE_OPENED) >= len(self.disputed)


class DeskAtLength(Desk):
    """The same desk, asked far more often."""


Desk.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
DeskAtLength.TestCase.settings = settings(max_examples=1000, stateful_step_count=50, deadline=None)
TestDesk: Callable[..., Any] = Desk.TestCase
TestDeskAtLength: Callable[..., Any] = pytest.mark.soak("stateful")(pytest.mark.timeout(900)(DeskAtLength.TestCase))
