"""Room for another order: made of what nobody pays, and found whatever the provider says of those that are open."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.money import Money
from domain.payments.model import MOST_AWAITED, Order, OrderState
from tests.integration.domain.cashbox import CANCEL, Cashbox, session
from tests.world import World


@pytest.fixture
def box(world: World) -> Iterator[Cashbox]:
    made = Cashbox(world)
    yield made
    assert made.disagreements() == []


def three_open(box: Cashbox) -> list[Order]:
    member = box.world.newcomer()
    return [box.order(member, cancel=f"{CANCEL}/{number}") for number in range(MOST_AWAITED)]


def test_room_is_made_of_unpaid_orders_though_that_of_the_same_is_on_its_way(box: Cashbox) -> None:
    first, *others = three_open(box)
    box.provider.pay(session(first), later=True)
    ordered = box.checkout(first.member_id, cancel=f"{CANCEL}/0")
    assert isinstance(ordered, Order), ordered
    assert [box.read(each).state for each in (first, *others)] == [
        *(OrderState.PROCESSING, OrderState.EXPIRED, OrderState.OPEN)
    ]


def test_room_is_made_of_the_next_order_when_the_oldest_cannot_be_closed(box: Cashbox) -> None:
    first, *others = three_open(box)
    box.provider.pay(session(first), later=True)
    ordered = box.checkout(first.member_id)
    assert isinstance(ordered, Order), ordered
    assert [box.read(each).state for each in (first, *others)] == [
        *(OrderState.PROCESSING, OrderState.EXPIRED, OrderState.OPEN)
    ]


@pytest.mark.parametrize("cancel", [CANCEL, f"{CANCEL}/0"])
def test_an_order_whose_page_is_about_another_amount_keeps_nobody_from_buying(box: Cashbox, cancel: str) -> None:
    first, *_ = three_open(box)
    page = box.provider.pages[session(first)]
    box.provider.pages[session(first)] = replace(page, price=Money(1, "EUR"))
    for _ in range(MOST_AWAITED + 1):
        ordered = box.checkout(first.member_id, cancel=cancel)
        assert isinstance(ordered, Order), ordered
        cancel += "/again"


def test_an_unpaid_page_about_another_amount_ends_with_its_order(box: Cashbox) -> None:
    order = box.order()
    page = box.provider.pages[session(order)]
    box.provider.pages[session(order)] = replace(page, price=Money(1, "EUR"))
    box.provider.expire(session(order))
    box.reconciliation.run()
    assert box.read(order).state is OrderState.EXPIRED
    assert "about 0.01 EUR" in (box.read(order).problem or "")
    box.days_pass(1)
    assert box.reconciliation.run(timedelta(hours=1)).problems == {}
