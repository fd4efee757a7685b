"""What is kept of a payment, after refunds, failed refunds and disputes in any order."""

from dataclasses import replace
from random import Random
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from domain.memberships.tables import ledger_entries
from domain.money import vat_in
from domain.payments.model import Order, RefundState
from domain.payments.ports import ProvidedDispute, ProvidedRefund
from tests.integration.domain.payments.payments_world import PaymentsWorld, session
from tests.world import World

STEPS = 14
PRICE = 1000


class History:
    """What happens to one payment at the provider, one step after another."""

    def __init__(self, box: PaymentsWorld, order: Order, chance: Random) -> None:
        self._box = box
        self._order = order
        self._chance = chance
        page = box.provider.pages[session(order)]
        self._refunds = box.provider.refunds.setdefault(page.payment_intent_id or "", [])
        self._disputes = box.provider.disputes.setdefault(page.payment_intent_id or "", [])

    @property
    def kept(self) -> int:
        """By the provider: what was not given back, and was not lost."""
        back = sum(each.amount for each in self._refunds if each.state is not RefundState.FAILED)
        return PRICE - back - sum(each.amount for each in self._disputes if each.is_won is False)

    @property
    def _free(self) -> int:
        return self.kept - sum(each.amount for each in self._disputes if each.is_won is None)

    def step(self) -> str:
        """Let something happen; its name."""
        steps = (self._refund, self._refund_ends, self._dispute, self._dispute_ends, self._ask, self._days)
        chosen = self._chance.choice(steps)
        chosen()
        page, provider = session(self._order), self._box.provider
        provider.pages[page] = replace(
            provider.pages[page],
            was_refunded=any(each.state is not RefundState.FAILED for each in self._refunds),
            was_disputed=bool(self._disputes),
        )
        return chosen.__name__

    def _refund(self) -> None:
        if self._free > 0:
            state = self._chance.choice((RefundState.PENDING, RefundState.SUCCEEDED))
            amount = self._chance.randint(1, self._free)
            self._refunds.append(ProvidedRefund(f"re_{uuid4().hex}", amount, state, None, self._box.world.clock()))

    def _refund_ends(self) -> None:
        if self._refunds:
            which = self._chance.randrange(len(self._refunds))
            if self._refunds[which].state is not RefundState.FAILED:
                state = self._chance.choice((RefundState.FAILED, RefundState.SUCCEEDED))
                self._refunds[which] = replace(self._refunds[which], state=state)

    def _dispute(self) -> None:
        if self._free > 0:
            amount = self._chance.choice((self._free, self._chance.randint(1, self._free)))
            now = self._box.world.clock()
            self._disputes.append(ProvidedDispute(f"dp_{uuid4().hex}", amount, None, is_inquiry=False, created_at=now))

    def _dispute_ends(self) -> None:
        if self._disputes:
            which = self._chance.randrange(len(self._disputes))
            if self._disputes[which].is_won is None:
                self._disputes[which] = replace(self._disputes[which], is_won=self._chance.random() < 0.5)

    def _ask(self) -> None:
        amount = self._chance.randint(1, PRICE)
        self._box.provider.refuses = amount > self._free
        self._box.give_back(self._order, amount, "ill")
        self._box.provider.refuses = False

    def _days(self) -> None:
        self._box.days_pass(self._chance.choice((1, 5)))


@pytest.mark.parametrize("seed", range(10))
def test_documents_ledger_and_vat_agree_with_the_provider(world: World, seed: int) -> None:
    box = PaymentsWorld(world)
    order = box.bought()
    history = History(box, order, Random(seed))  # noqa: S311 - no secret
    for number in range(STEPS):
        what = f"step {number}: {history.step()}"
        settled = box.settled(order)
        documents = box.invoices(order)
        kept = sum(each.gross for each in documents)
        assert kept == history.kept == settled.left.amount, what
        assert sum(each.vat for each in documents) == vat_in(kept, order.vat_rate_bp), what
        assert {each.net + each.vat - each.gross for each in documents} == {0}, what
        with world.store.reading() as connection:
            booked = connection.execute(select(func.sum(ledger_entries.c.amount))).scalar_one()
        assert int(booked) == kept, what
        assert box.disagreements() == [], what
    box.handler.close()
