"""Refunds whose answers, events or failures come late, or never."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest

from domain.payments.model import Order, OrderState, Refund, RefundState
from domain.payments.ports import PaymentRefusedError, PaymentsUnavailableError, ProvidedRefund
from domain.payments.refunds import Refunds, ask_refund
from domain.payments.repository import OrderRepository
from tests.integration.domain.payments.payments_world import PaymentsWorld, session
from tests.payment_provider import FakePaymentProvider
from tests.world import World


@pytest.fixture
def box(world: World) -> Iterator[PaymentsWorld]:
    made = PaymentsWorld(world)
    yield made
    assert made.disagreements() == []


def asked(box: PaymentsWorld, order: Order, amount: int) -> Refund:
    """A refund that is written down."""
    refund = box.world.store.written(
        lambda connection: ask_refund(connection, order.id, amount, "ill", order.member_id, box.world.clock())
    )
    assert isinstance(refund, Refund)
    return refund


def kept(box: PaymentsWorld, order: Order) -> list[tuple[RefundState, bool]]:
    with box.world.store.reading() as connection:
        return [(each.state, each.booked_at is not None) for each in OrderRepository(connection).refunds_of(order.id)]


def test_a_refund_that_failed_before_we_knew_that_it_was_made_leaves_its_money_to_another(box: PaymentsWorld) -> None:
    order = box.bought()
    box.provider.loses_answer = lambda call: call == "refund"
    with pytest.raises(PaymentsUnavailableError):
        box.give_back(order, 1000, "ill")
    box.provider.loses_answer = lambda _call: False
    box.provider.refund_fails(session(order))
    box.provider.events.clear()
    box.days_pass(0.1)
    box.reconciliation.run()
    assert kept(box, order) == [(RefundState.FAILED, False)]
    assert isinstance(box.give_back(order, 1000, "ill"), Order)
    assert box.read(order).state is OrderState.REFUNDED
    assert [text.gross for text in box.invoices(order)] == [1000, -1000]


class ForgetfulProvider(FakePaymentProvider):
    """Forgets keys, as Stripe does after a day: the same refund once more is another one, or too much."""

    def refund(self, order: Order, amount: int, refund_id: UUID) -> ProvidedRefund:
        made = self.refunds.get(order.payment_intent_id or "", [])
        if amount + sum(each.amount for each in made) > order.price.amount:
            raise PaymentRefusedError("the charge has been refunded")
        hidden = [replace(each, ours=None) for each in made]
        self.refunds[order.payment_intent_id or ""] = hidden
        done = super().refund(order, amount, refund_id)
        self.refunds[order.payment_intent_id or ""] = [*made, *self.refunds[order.payment_intent_id or ""][len(made) :]]
        return done


@pytest.mark.parametrize("amount", [400, 1000])
def test_a_refund_made_days_ago_whose_answer_was_lost_is_made_once(box: PaymentsWorld, amount: int) -> None:
    order = box.bought()
    refund = asked(box, order, amount)
    box.provider.refund(order, amount, refund.id)  # and its answer and its event were lost
    box.days_pass(2)
    forgetful = ForgetfulProvider(box.world.clock)
    forgetful.pages, forgetful.refunds = box.provider.pages, box.provider.refunds
    Refunds(box.world.store, forgetful, box.world.clock).carry_out(refund)
    assert kept(box, order) == [(RefundState.SUCCEEDED, True)]
    assert sum(len(made) for made in forgetful.refunds.values()) == 1
    assert box.read(order).refunded == amount


def test_a_refund_that_was_booked_meanwhile_stays_booked_when_it_is_refused(box: PaymentsWorld) -> None:
    order = box.bought()
    refund = asked(box, order, 1000)
    assert isinstance(box.refunds.carry_out(refund), Order)
    box.provider.refuses = True
    box.refunds.carry_out(refund)  # by somebody who read it before
    box.provider.refuses = False
    assert kept(box, order) == [(RefundState.SUCCEEDED, True)]
    box.settled(order)
    assert [text.gross for text in box.invoices(order)] == [1000, -1000]
