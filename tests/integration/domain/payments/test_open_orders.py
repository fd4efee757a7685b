"""Room for another order: made of what nobody pays, and found whatever the provider says of those that are open."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from deployments.idempotent_calls import IdempotentAnswer
from deployments.payments.orders import OrderService
from deployments.payments.services import payment_services
from domain.idempotency import IdempotentRequest
from domain.ids import new_id
from domain.memberships.refusals import MembershipRefusal
from domain.memberships.tables import plans
from domain.money import Money
from domain.payments.model import MOST_AWAITED, Order, OrderState
from domain.payments.ports import PaymentsUnavailableError
from domain.payments.repository import OrderRepository
from tests.integration.domain.payments.payments_world import CANCEL, SUCCESS, PaymentsWorld, session
from tests.service_calls import call_once
from tests.world import World


@pytest.fixture
def box(world: World) -> Iterator[PaymentsWorld]:
    made = PaymentsWorld(world)
    yield made
    assert made.disagreements() == []


def three_open(box: PaymentsWorld) -> list[Order]:
    member = box.world.newcomer()
    return [box.order(member, cancel=f"{CANCEL}/{number}") for number in range(MOST_AWAITED)]


def test_room_is_made_of_unpaid_orders_though_that_of_the_same_is_on_its_way(box: PaymentsWorld) -> None:
    first, *others = three_open(box)
    box.provider.pay(session(first), later=True)
    ordered = box.checkout(first.member_id, cancel=f"{CANCEL}/0")
    assert isinstance(ordered, Order), ordered
    assert [box.read(each).state for each in (first, *others)] == [
        *(OrderState.PROCESSING, OrderState.EXPIRED, OrderState.OPEN)
    ]


def test_room_is_made_of_the_next_order_when_the_oldest_cannot_be_closed(box: PaymentsWorld) -> None:
    first, *others = three_open(box)
    box.provider.pay(session(first), later=True)
    ordered = box.checkout(first.member_id)
    assert isinstance(ordered, Order), ordered
    assert [box.read(each).state for each in (first, *others)] == [
        *(OrderState.PROCESSING, OrderState.EXPIRED, OrderState.OPEN)
    ]


@pytest.mark.parametrize("cancel", [CANCEL, f"{CANCEL}/0"])
def test_an_order_whose_page_is_about_another_amount_keeps_nobody_from_buying(box: PaymentsWorld, cancel: str) -> None:
    first, *_ = three_open(box)
    page = box.provider.pages[session(first)]
    box.provider.pages[session(first)] = replace(page, price=Money(1, "EUR"))
    for _ in range(MOST_AWAITED + 1):
        ordered = box.checkout(first.member_id, cancel=cancel)
        assert isinstance(ordered, Order), ordered
        cancel += "/again"


def test_an_unpaid_page_about_another_amount_ends_with_its_order(box: PaymentsWorld) -> None:
    order = box.order()
    page = box.provider.pages[session(order)]
    box.provider.pages[session(order)] = replace(page, price=Money(1, "EUR"))
    box.provider.expire(session(order))
    box.reconciliation.run()
    assert box.read(order).state is OrderState.EXPIRED
    assert "about 0.01 EUR" in (box.read(order).problem or "")
    box.days_pass(1)
    assert box.reconciliation.run(timedelta(hours=1)).problems == {}


def test_who_orders_while_another_order_takes_the_room_gets_the_next(box: PaymentsWorld) -> None:
    first, *_ = three_open(box)
    services = payment_services(box.world.store, box.world.clock, provider=box.provider)
    between: list[object] = []

    def other_first(call: str) -> bool:
        if call == "close_checkout" and not between:
            between.append(None)
            between.append(services.orders.open_checkout(first.member_id, box.world.plan, SUCCESS, f"{CANCEL}/other"))
        return False

    box.provider.away = other_first
    ordered = services.orders.open_checkout(first.member_id, box.world.plan, SUCCESS, CANCEL)
    assert isinstance(ordered, Order), ordered
    assert isinstance(between[1], Order)
    assert len({first.id, ordered.id, between[1].id}) == 3
    assert {ordered.state, box.read(between[1]).state} == {OrderState.OPEN}


def test_a_repeated_call_whose_order_was_closed_for_others_makes_a_new_one(box: PaymentsWorld) -> None:
    services = payment_services(box.world.store, box.world.clock, provider=box.provider)
    member = box.world.newcomer()
    request = IdempotentRequest("k" * 64, "r" * 64, "the client's own", "somebody POST /something")

    def called() -> object:
        return call_once(
            services, box.world.clock, request, OrderService.open_checkout, member, box.world.plan, SUCCESS, CANCEL
        )

    box.provider.away = lambda call: call == "open_checkout"
    with pytest.raises(PaymentsUnavailableError):
        called()
    box.provider.away = lambda _call: False
    for number in range(MOST_AWAITED):
        box.order(member, cancel=f"{CANCEL}/{number}")
    again = called()
    assert isinstance(again, IdempotentAnswer)
    assert isinstance(again.value, Order), again.value
    assert again.value.state is OrderState.OPEN
    assert not box.provider.pages[session(again.value)].is_over
    assert called() == IdempotentAnswer(again.value, replayed=True)


def test_who_orders_the_same_twice_at_once_gets_one_order(box: PaymentsWorld) -> None:
    services = payment_services(box.world.store, box.world.clock, provider=box.provider)
    member = box.world.newcomer()
    other: list[object] = []

    def second_meanwhile(call: str) -> bool:
        if call == "open_checkout" and not other:
            other.append(None)
            other.append(services.orders.open_checkout(member, box.world.plan, SUCCESS, CANCEL))
        return False

    box.provider.away = second_meanwhile
    ordered = services.orders.open_checkout(member, box.world.plan, SUCCESS, CANCEL)
    assert isinstance(ordered, Order)
    assert other[1] == ordered
    assert len(box.provider.pages) == 1


def test_ordering_again_after_an_unavailable_provider_returns_the_first_order(box: PaymentsWorld) -> None:
    member = box.world.newcomer()
    box.provider.away = lambda call: call == "open_checkout"
    for _ in range(MOST_AWAITED + 1):
        with pytest.raises(PaymentsUnavailableError):
            box.checkout(member)
    box.provider.away = lambda _call: False
    ordered = box.order(member)
    assert ordered.checkout_url
    with box.world.store.reading() as connection:
        assert OrderRepository(connection).open_of(member) == [ordered.id]


@pytest.mark.parametrize("why", ["unknown", "retired", "not payable"])
def test_an_order_that_is_refused_closes_no_other(box: PaymentsWorld, why: str) -> None:
    waiting = three_open(box)
    plan = new_id() if why == "unknown" else box.world.plan
    changes: dict[str, dict[str, Any]] = {
        "retired": {"retired_at": box.world.clock()},
        "not payable": {"price_amount": 1},
    }
    if why in changes:
        with box.world.store.writing() as connection:
            connection.execute(update(plans).where(plans.c.id == plan).values(**changes[why]))
    assert isinstance(box.checkout(waiting[0].member_id, plan, f"{CANCEL}/another"), MembershipRefusal)
    assert {box.read(each).state for each in waiting} == {OrderState.OPEN}
    assert {box.provider.pages[session(each)].is_over for each in waiting} == {False}
