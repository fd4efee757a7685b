"""Nobody sells or gives days past 50 years ahead; what was paid is booked all the same, or reported."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from domain.ids import new_id
from domain.memberships.booked_membership import BookingOrigin
from domain.memberships.ledger import Draft, EntryKind, Method
from domain.memberships.ledger_rules import LONGEST_AHEAD
from domain.memberships.periods import days_from
from domain.memberships.plan_service import create_plan
from domain.memberships.plans import Plan, PlanDetails
from domain.memberships.refusals import MembershipRefusal
from domain.memberships.repository import LedgerRepository
from domain.memberships.service import adjust, freeze
from domain.money import Money
from domain.payments.desk_payments import sell_at_desk
from domain.payments.model import Order, OrderState
from domain.payments.tables import orders
from tests.integration.domain.payments.payments_world import CANCEL, PaymentsWorld, session
from tests.world import World


@pytest.fixture
def box(world: World) -> Iterator[PaymentsWorld]:
    box = PaymentsWorld(world)
    yield box
    assert box.disagreements() == []
    box.handler.close()


@pytest.fixture
def decade(box: PaymentsWorld) -> Plan:
    with box.world.store.writing() as connection:
        plan = create_plan(connection, PlanDetails("Ten years", 3660, Money(10_000, "EUR")), box.world.clock())
    assert isinstance(plan, Plan)
    return plan


def too_long(answer: object) -> None:
    assert isinstance(answer, MembershipRefusal), answer
    assert answer.problem == "membership_too_long"


def give(box: PaymentsWorld, order: Order, days: int) -> object:
    with box.world.store.writing() as connection:
        (held,) = LedgerRepository(connection).held_by(order.member_id)
        return adjust(connection, order.member_id, held.id, days, BookingOrigin(None, "a gift"), box.world.clock())


def test_days_given_again_and_again_end_in_a_refusal(box: PaymentsWorld) -> None:
    order = box.bought()
    answers = [give(box, order, 3660) for _ in range(6)]
    assert not any(isinstance(answer, MembershipRefusal) for answer in answers[:4])
    too_long(answers[4])
    too_long(answers[5])
    assert box.days_left(order) == 30 + 4 * 3660
    give(box, order, LONGEST_AHEAD.days - 30 - 4 * 3660)
    assert box.days_left(order) == LONGEST_AHEAD.days
    with box.world.store.writing() as connection:
        too_long(freeze(connection, order.member_id, 1, None, None, BookingOrigin(None, "ill"), box.world.clock()))
    assert box.days_left(order) == LONGEST_AHEAD.days


def test_neither_checkout_nor_desk_sells_days_past_fifty_years(box: PaymentsWorld, decade: Plan) -> None:
    member = box.world.newcomer()
    first = box.bought(member, decade.id)
    for _ in range(3):
        box.bought(member, decade.id)
    too_long(box.checkout(member, decade.id))
    with box.world.store.writing() as connection:
        too_long(sell_at_desk(connection, member, decade.id, Method.CASH, member, box.world.clock()))
        assert len(connection.execute(select(orders.c.id)).all()) == 4
    assert len(box.provider.pages) == 4
    assert box.days_left(first) == 4 * 3660


def test_days_of_open_orders_count(box: PaymentsWorld, decade: Plan) -> None:
    member = box.world.newcomer()
    for _ in range(2):
        box.bought(member, decade.id)
    waiting = [box.order(member, decade.id, f"{CANCEL}/{number}") for number in range(2)]
    too_long(box.checkout(member, decade.id))
    box.provider.expire(session(waiting[0]))
    assert box.settled(waiting[0]).state is OrderState.EXPIRED
    box.order(member, decade.id)


def test_a_payment_that_was_taken_is_booked_past_fifty_years(box: PaymentsWorld, decade: Plan) -> None:
    order = box.bought()
    late = box.order(order.member_id, decade.id)
    give(box, order, LONGEST_AHEAD.days - 30)
    box.provider.pay(session(late))
    assert (box.settled(late).state, box.read(late).problem) == (OrderState.PAID, None)
    assert box.days_left(order) == LONGEST_AHEAD.days + 3660


def test_a_payment_whose_days_come_near_the_end_of_the_calendar_is_reported_and_booked_once_there_is_room(
    box: PaymentsWorld,
) -> None:
    order = box.bought()
    late = box.order(order.member_id)
    with box.world.store.writing() as connection:  # as rows of before the limit have it
        (held,) = LedgerRepository(connection).held_by(order.member_id)
        assert held.balance.ends_on is not None
        far = Draft(EntryKind.ADJUSTMENT, days_from(held.balance.ends_on, 2_900_000), grants=True)
        LedgerRepository(connection).book(
            held, [far], BookingOrigin(None, "a gift", None, str(new_id())), box.world.clock()
        )
    too_long(box.checkout(order.member_id, cancel=f"{CANCEL}/late"))
    box.provider.pay(session(late))
    assert box.settled(late).state is OrderState.OPEN
    box.world.clock.now += timedelta(seconds=1)
    problem = box.reconciliation.run().problems[late.id]
    assert problem.startswith("paid, but not booked: 30 more days end after ")
    give(box, order, -2_900_000)
    assert box.reconciliation.run().mended == [late.id]
    assert (box.read(late).state, box.read(late).problem, box.days_left(order)) == (OrderState.PAID, None, 60)
