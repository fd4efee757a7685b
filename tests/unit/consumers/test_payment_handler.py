"""Batches of payment events: each order is checked once, none blocks another, nothing is lost."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from consumers.failure_policy import NextStep, next_step
from consumers.payments import PaymentHandler
from domain.payments.model import OrderState
from domain.payments.ports import PaymentsUnavailableError, ProviderEvent
from domain.payments.provider_events import PaymentEvent
from domain.payments.tables import stripe_events
from tests.integration.domain.payments.payments_world import PaymentsWorld, session
from tests.stores import sqlite_store
from tests.unit.consumers.fakes import LoopBench, message
from tests.world import World


@pytest.fixture
def box(tmp_path: Path) -> Iterator[PaymentsWorld]:
    store = sqlite_store(tmp_path)
    box = PaymentsWorld(World(store))
    box.handler.close()
    box.handler = PaymentHandler(store, box.provider, box.world.clock, parallel_orders=2)
    yield box
    box.handler.close()
    store.close()


def handled_at(box: PaymentsWorld, event: ProviderEvent) -> datetime | None:
    with box.world.store.reading() as connection:
        query = select(stripe_events.c.handled_at).where(stripe_events.c.id == event.id)
        found: datetime | None = connection.execute(query).scalar_one()
    return found


def from_kafka(box: PaymentsWorld, event: ProviderEvent) -> PaymentEvent:
    """An event in the form in which the consumer receives it."""
    return next(each for each in box.receive(event) if each.event_id == event.id)


def unavailable_once(box: PaymentsWorld, call: str) -> None:
    """The first call of this kind to the provider fails."""
    left = [True]
    box.provider.away = lambda called: called == call and bool(left) and left.pop()


def test_an_order_with_many_events_in_a_batch_is_checked_once(box: PaymentsWorld) -> None:
    order = box.order()
    events = [
        box.provider.pay(session(order)),
        box.provider.give_back(session(order), 400),
        box.provider.dispute(session(order)),
        box.provider.close_dispute(session(order), won=True),
    ]
    box.provider.calls.clear()
    assert box.handle(*events, *events) == [True] * 8
    assert box.provider.calls["checkout"] == 1
    assert (box.read(order).state, box.read(order).refunded) == (OrderState.PAID, 400)
    assert {box.event_state(event) for event in events} == {"handled"}


def test_every_order_of_a_batch_is_checked(box: PaymentsWorld) -> None:
    bought = [box.order() for _ in range(5)]
    events = [box.provider.pay(session(order)) for order in bought]
    box.provider.calls.clear()
    box.handle(*events)
    assert box.provider.calls == {"checkout": 5}
    assert {box.read(order).state for order in bought} == {OrderState.PAID}
    assert {handled_at(box, event) for event in events} == {box.world.clock()}


def test_a_batch_that_comes_again_changes_nothing(box: PaymentsWorld) -> None:
    order = box.order()
    event = box.provider.pay(session(order))
    box.handle(event)
    before = box.kinds(order), box.invoices(order)
    assert box.handle(event) == [True]
    assert (box.kinds(order), box.invoices(order)) == before


def test_one_order_that_cannot_be_checked_blocks_no_other_and_is_done_later(box: PaymentsWorld) -> None:
    bought = [box.order() for _ in range(4)]
    events = [box.provider.pay(session(order)) for order in bought]
    unavailable_once(box, "checkout")
    with pytest.raises(PaymentsUnavailableError):
        box.handle(*events)
    assert sorted(box.event_state(event) for event in events) == ["handled", "handled", "handled", "received"]
    assert sorted(box.read(order).state for order in bought) == ["open", "paid", "paid", "paid"]
    assert [handled_at(box, event) for event in events].count(None) == 1
    assert box.handle(*events) == [True] * 4
    assert {box.read(order).state for order in bought} == {OrderState.PAID}
    assert [box.kinds(order) for order in bought] == [["purchase"]] * 4


def test_one_event_whose_order_must_be_looked_up_blocks_no_other(box: PaymentsWorld) -> None:
    unknown, known = box.order(), box.order()
    box.provider.pay(session(unknown))
    refund = box.provider.give_back(session(unknown), 1000)  # its payment was not booked yet
    paid = box.provider.pay(session(known))
    unavailable_once(box, "order_of")
    with pytest.raises(PaymentsUnavailableError):
        box.handle(refund, paid)
    assert (box.event_state(refund), box.event_state(paid)) == ("received", "handled")
    assert (box.read(unknown).state, box.read(known).state) == (OrderState.OPEN, OrderState.PAID)
    box.handle(refund, paid)
    assert box.read(unknown).state is OrderState.REFUNDED
    assert box.event_state(refund) == "handled"


def test_an_event_without_an_order_of_ours_is_ignored_and_calls_no_checkout(box: PaymentsWorld) -> None:
    event = box.provider.pay(session(box.order()))
    foreign = replace(event, id="evt_foreign", order_id=None, session_id=None, payment_intent_id="pi_foreign")
    box.provider.calls.clear()
    assert box.handle(foreign) == [True]
    assert box.event_state(foreign) == "ignored"
    assert box.provider.calls == {"order_of": 1}


@pytest.mark.parametrize("attempt", [1, 3, 1000])
@pytest.mark.parametrize("size", [1, 32])
def test_an_unavailable_provider_makes_the_batch_wait(attempt: int, size: int) -> None:
    assert next_step(PaymentsUnavailableError("away"), attempt, 3, size) is NextStep.WAIT


def test_while_the_provider_is_unavailable_the_whole_batch_waits_and_nothing_is_dead_lettered() -> None:
    bench = LoopBench(batch_max=2, attempts=2)
    left = [None] * 7

    def fails(_messages: Sequence[str]) -> None:
        if left:
            left.pop()
            raise PaymentsUnavailableError("away")

    bench.handler.fails = fails
    bench.run(message(0), message(1))
    assert bench.handler.calls == [["m0", "m1"]] * 8
    assert bench.handler.handled == ["m0", "m1"]
    assert bench.dead_letters.letters == []
    assert bench.consumer.stored == {0: 2}


def test_a_dead_lettered_event_is_marked_as_failed_and_retried_by_the_reconciliation(box: PaymentsWorld) -> None:
    order = box.order()
    event = box.provider.pay(session(order))
    assert box.handler.on_dead_letter(from_kafka(box, event)) is False
    assert (box.event_state(event), handled_at(box, event)) == ("failed", None)
    assert box.read(order).state is OrderState.OPEN
    box.days_pass(0.01)
    assert box.reconciliation.run().events_missed == 1
    assert box.read(order).state is OrderState.PAID
    assert (box.event_state(event), handled_at(box, event)) == ("handled", box.world.clock())
    assert box.reconciliation.run().events_missed == 0
