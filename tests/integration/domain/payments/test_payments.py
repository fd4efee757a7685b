"""Orders bought, fulfilled once, given back, disputed: the lines of docs/payments.md on both stores."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection, select, update

from domain.companies.tables import companies
from domain.door.model import Outcome, Reason, Remedy
from domain.identity.personal_data_service import export_account
from domain.identity.tables import users
from domain.memberships.booked_membership import BookingOrigin
from domain.memberships.ledger import Method
from domain.memberships.plan_service import change_plan, create_plan, retire_plan
from domain.memberships.plans import Plan, PlanDetails
from domain.memberships.refusals import MembershipRefusal
from domain.memberships.reminder_repository import ReminderRepository
from domain.memberships.repository import LedgerRepository
from domain.memberships.service import freeze
from domain.memberships.tables import ledger_entries, memberships
from domain.money import Money, vat_in
from domain.payments.desk_payments import end_of_day, reverse_at_desk, sell_at_desk
from domain.payments.invoices import InvoiceKind, InvoiceText
from domain.payments.model import MOST_AWAITED, Order, OrderState, PaymentRefusal
from domain.payments.order_booking import OrderBooking
from domain.payments.ports import Buyer, Checkout, PaymentsUnavailableError, ProviderEvent
from domain.payments.provider_events import store_provider_events
from domain.payments.repository import OrderRepository
from domain.payments.tables import invoices, open_orders, orders
from tests.integration.domain.payments.payments_world import CANCEL, PaymentsWorld, refused, session
from tests.world import World


@pytest.fixture
def box(world: World) -> Iterator[PaymentsWorld]:
    box = PaymentsWorld(world)
    yield box
    assert box.disagreements() == []
    box.handler.close()


def test_the_price_comes_from_the_plan_and_the_order_is_named_to_the_provider(box: PaymentsWorld) -> None:
    order = box.order()
    page = box.provider.pages[session(order)]
    assert order.price == Money(1000, "EUR") == page.price
    assert page.order_id == order.id
    assert order.checkout_url == page.url
    assert order.success_url == f"http://gym.test/ok?order={order.id}"


def test_what_was_sold_keeps_its_price_when_the_plan_changes(box: PaymentsWorld) -> None:
    order = box.order()
    with box.world.store.writing() as connection:
        changed = change_plan(connection, box.world.plan, {"price": Money(1200, "EUR"), "name": "A month"}, None)
    assert isinstance(changed, Plan)
    box.provider.pay(session(order))
    paid = box.settled(order)
    assert (paid.state, paid.price, paid.plan_name) == (OrderState.PAID, Money(1000, "EUR"), "30 days")
    assert box.order().price == Money(1200, "EUR")


def test_of_a_sold_plan_days_and_gyms_stay(box: PaymentsWorld) -> None:
    box.order()
    with box.world.store.writing() as connection:
        for changes in ({"days": 31}, {"grace_days": 4}, {"price": Money(1000, "USD")}):
            answer = change_plan(connection, box.world.plan, changes, None)
            assert isinstance(answer, MembershipRefusal)
            assert answer.problem == "plan_sold"


def test_a_retired_plan_is_sold_no_more_and_what_is_open_of_it_can_be_paid(box: PaymentsWorld) -> None:
    order = box.order()
    with box.world.store.writing() as connection:
        retire_plan(connection, box.world.plan, None, box.world.clock())
    answer = box.checkout(box.world.newcomer())
    assert isinstance(answer, MembershipRefusal)
    assert answer.problem == "unknown_plan"
    box.provider.pay(session(order))
    assert box.settled(order).state is OrderState.PAID


@pytest.mark.parametrize(
    "price", [Money(1200, "JPY"), Money(12_500, "KWD"), Money(999, "USD"), Money(999_999_999_999, "IDR")]
)
def test_currencies_of_no_two_and_three_decimals(box: PaymentsWorld, price: Money) -> None:
    with box.world.store.writing() as connection:
        plan = create_plan(connection, PlanDetails("30 days", 30, price), box.world.clock())
    assert isinstance(plan, Plan)
    order = box.bought(plan=plan.id)
    assert order.price == price
    (invoice,) = box.invoices(order)
    assert (invoice.gross, invoice.currency) == (price.amount, price.currency)


def test_a_hundred_calls_at_once_prolong_once(box: PaymentsWorld) -> None:
    order = box.order()
    box.provider.pay(session(order))
    with ThreadPoolExecutor(32) as threads:
        states = {answer.state for answer in threads.map(lambda _: box.settled(order), range(100))}
    assert states == {OrderState.PAID}
    assert box.kinds(order) == ["purchase"]
    assert box.days_left(order) == 30
    assert len(box.invoices(order)) == 1


def test_a_payment_that_breaks_off_is_booked_whole_by_the_next_call(box: PaymentsWorld) -> None:
    order = box.order()
    box.provider.pay(session(order))
    with pytest.raises(ZeroDivisionError):
        box.world.store.written(lambda connection: _paid_and_rolled_back(connection, box, order))
    assert (box.read(order).state, box.kinds(order), box.invoices(order)) == (OrderState.OPEN, [], [])
    assert box.settled(order).state is OrderState.PAID
    assert (box.kinds(order), box.days_left(order), len(box.invoices(order))) == (["purchase"], 30, 1)


def _paid_and_rolled_back(connection: Connection, box: PaymentsWorld, order: Order) -> float:
    booking = OrderBooking.locked(connection, order.id, box.world.clock())
    assert booking is not None
    booking.see(box.provider.checkout(session(order)))
    assert booking.order.state is OrderState.PAID
    return 1 / 0


def test_a_member_who_buys_twice_at_once_gets_both(box: PaymentsWorld) -> None:
    member = box.world.newcomer()
    bought = [box.order(member, cancel=f"{CANCEL}/{n}") for n in range(MOST_AWAITED)]
    for order in bought:
        box.provider.pay(session(order))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(box.settled, bought * 3))
    assert box.days_left(bought[0]) == 90
    assert box.account(bought[0]).coverage.days() == 90


def test_who_orders_the_same_once_more_gets_the_same_order_until_it_is_paid(box: PaymentsWorld) -> None:
    first = box.order()
    member = first.member_id
    assert box.order(member) == first
    assert box.provider.calls["open_checkout"] == 1
    elsewhere = box.order(member, cancel=f"{CANCEL}/elsewhere")
    assert elsewhere.id != first.id
    box.provider.pay(session(first))  # and nobody has told us
    again = box.order(member)
    assert again.id not in {first.id, elsewhere.id}
    assert box.read(first).state is OrderState.PAID
    assert [box.read(order).state for order in (elsewhere, again)] == [OrderState.OPEN] * 2


def test_the_same_order_is_another_one_at_another_price_or_with_little_time_left(box: PaymentsWorld) -> None:
    first = box.order()
    box.world.clock.forward(22.4 * 3600)
    assert box.order(first.member_id).id == first.id
    box.world.clock.forward(0.2 * 3600)
    second = box.order(first.member_id)
    assert second.id != first.id
    with box.world.store.writing() as connection:
        connection.execute(update(orders).where(orders.c.id == second.id).values(amount=1))
    assert box.order(first.member_id).id not in {first.id, second.id}


def test_for_a_fourth_order_the_oldest_that_nobody_has_paid_is_closed(box: PaymentsWorld) -> None:
    member = box.world.newcomer()
    bought = [box.order(member, cancel=f"{CANCEL}/{n}") for n in range(MOST_AWAITED)]
    box.provider.pay(session(bought[0]), later=True)
    box.settled(bought[0])
    bought.append(box.order(member, cancel=f"{CANCEL}/4"))
    assert [box.read(order).state for order in bought] == [
        OrderState.PROCESSING, OrderState.EXPIRED, OrderState.OPEN, OrderState.OPEN
    ]  # fmt: skip
    assert box.provider.pages[session(bought[1])].is_over, "nobody can pay it any more"


def test_an_order_that_is_paid_while_it_is_to_be_closed_is_booked(box: PaymentsWorld) -> None:
    member = box.world.newcomer()
    bought = [box.order(member, cancel=f"{CANCEL}/{n}") for n in range(MOST_AWAITED)]
    box.provider.pay(session(bought[0]))  # and nobody has told us
    box.order(member, cancel=f"{CANCEL}/4")
    assert box.read(bought[0]).state is OrderState.PAID
    assert box.days_left(bought[0]) == 30


def test_while_three_payments_are_on_their_way_nothing_more_is_ordered(box: PaymentsWorld) -> None:
    member = box.world.newcomer()
    bought = [box.order(member, cancel=f"{CANCEL}/{n}") for n in range(MOST_AWAITED)]
    for order in bought:
        box.provider.pay(session(order), later=True)
        box.settled(order)
    assert refused(box.checkout(member)) == "too_many_open_orders"
    box.provider.finish(session(bought[1]), succeeds=True)
    box.settled(bought[1])
    assert box.order(member).state is OrderState.OPEN


def test_who_orders_many_times_at_once_has_three_open_orders_at_most(box: PaymentsWorld) -> None:
    member = box.world.newcomer()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: box.checkout(member, cancel=f"{CANCEL}/{n}"), range(8)))
    with box.world.store.reading() as connection:
        waiting = OrderRepository(connection).open_of(member)
    assert 0 < len(waiting) <= MOST_AWAITED
    assert {box.provider.pages[session(box.by_id(each))].is_over for each in waiting} == {False}


def test_invoice_numbers_have_no_gaps_whatever_fails_at_once(box: PaymentsWorld) -> None:
    bought = [box.order() for _ in range(24)]
    for order in bought:
        box.provider.pay(session(order))
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        for order in bought[number::8]:
            box.settled(order)
            with pytest.raises(ZeroDivisionError):
                box.world.store.written(lambda connection: _sold_and_rolled_back(connection, box, order))  # noqa: B023 - called at once

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    with box.world.store.reading() as connection:
        numbers = list(connection.execute(select(invoices.c.number).order_by(invoices.c.number)).scalars())
        last = connection.execute(select(companies.c.last_invoice_number)).scalar_one()
    assert numbers == list(range(1, 25))
    assert last == 24


def _sold_and_rolled_back(connection: Connection, box: PaymentsWorld, order: Order) -> float:
    sold = sell_at_desk(connection, order.member_id, box.world.plan, Method.CASH, order.member_id, box.world.clock())
    assert isinstance(sold, Order)
    return 1 / 0  # its number is taken, and given back


def test_an_invoice_has_all_that_it_needs(box: PaymentsWorld) -> None:
    with box.world.store.writing() as connection:
        connection.execute(
            update(companies).values(
                name="Gyms Ltd", address="Quay 7, Berlin", vat_number="DE123456789", vat_rate_bp=1900
            )
        )
    order = box.order()
    box.provider.pay(session(order), buyer=Buyer("Mia Moll", "m@example.org", "Way 3, 50667 Cologne"))
    (text,) = box.invoices(box.settled(order))
    today = box.world.clock().date()
    assert text.kind is InvoiceKind.INVOICE
    assert (text.number, text.issued_on) == ("000001", today)
    assert (text.seller.name, text.seller.address, text.seller.vat_number) == (
        *("Gyms Ltd", "Quay 7, Berlin", "DE123456789"),
    )
    assert (text.buyer.name, text.buyer.address) == ("Mia Moll", "Way 3, 50667 Cologne")
    assert (text.period_from, text.period_until) == (today, today + timedelta(days=30))
    assert (text.gross, text.net, text.vat, text.vat_rate_bp) == (1000, 840, 160, 1900)


def test_a_member_without_an_address_buys_and_gets_no_mail(box: PaymentsWorld) -> None:
    with_address, without = box.order(), box.world.newcomer()
    with box.world.store.writing() as connection:
        connection.execute(update(users).where(users.c.id == without).values(email=None))
    order = box.order(without)
    assert box.provider.addresses == {order.id: None, with_address.id: f"{with_address.member_id}@example.org"}
    for each in (with_address, order):
        box.provider.pay(session(each), buyer=Buyer())
        assert box.settled(each).state is OrderState.PAID
    assert [text.buyer.email for text in box.invoices(order)] == [""]
    assert [text.buyer.email for text in box.invoices(with_address)] == [f"{with_address.member_id}@example.org"]
    box.days_pass(25)
    with box.world.store.reading() as connection:
        due, _ = ReminderRepository(connection).due(box.world.clock())
    assert [reminder.email for reminder in due] == [f"{with_address.member_id}@example.org"]


def test_refund_whole_takes_back_days_and_issues_a_credit_note(box: PaymentsWorld) -> None:
    order = box.bought()
    box.days_pass(10)
    answer = box.give_back(order, None, "moved away")
    assert isinstance(answer, Order)
    assert answer.state is OrderState.REFUNDED
    assert box.days_left(order) == 0
    _, credit = box.invoices(order)
    assert (credit.kind, credit.gross, credit.refers_to) == (InvoiceKind.CREDIT_NOTE, -1000, "000001")
    assert refused(box.give_back(order, None, "again")) == "refund_too_large"


def test_refund_in_part_and_more_than_is_left(box: PaymentsWorld) -> None:
    order = box.bought()
    box.days_pass(10)
    box.give_back(order, 400, "ill")
    assert box.days_left(order) == 8
    assert box.read(order).state is OrderState.PAID
    assert refused(box.give_back(order, 601, "more")) == "refund_too_large"


def test_a_part_that_is_refunded_is_a_multiple_of_the_currencys_step(box: PaymentsWorld) -> None:
    with box.world.store.writing() as connection:
        plan = create_plan(connection, PlanDetails("30 days", 30, Money(50_000, "ISK")), box.world.clock())
    assert isinstance(plan, Plan)
    order = box.bought(plan=plan.id)
    refusal = box.give_back(order, 10_050, "ill")
    assert refused(refusal) == "amount_not_payable"
    assert isinstance(refusal, PaymentRefusal)
    assert refusal.detail == "Refund of 10050 ISK is not a multiple of 100 ISK. Use 10000 or 10100."
    assert isinstance(box.give_back(order, 10_100, "ill"), Order)
    assert box.read(order).refunded == 10_100


def test_refund_that_the_provider_lost_the_answer_of_is_made_once(box: PaymentsWorld) -> None:
    order = box.bought()
    box.provider.loses_answer = lambda call: call == "refund"
    with pytest.raises(PaymentsUnavailableError):
        box.give_back(order, 400, "ill")
    assert refused(box.give_back(order, 700, "again")) == "refund_too_large", "400 are asked"
    box.provider.loses_answer = lambda _call: False
    box.provider.events.clear()
    box.days_pass(0.01)
    done = box.reconciliation.run()
    assert done.refunds_asked == 1
    assert box.read(order).refunded == 400
    assert box.kinds(order) == ["purchase", "refund"]


def test_refund_that_the_provider_refuses_changes_nothing(box: PaymentsWorld) -> None:
    order = box.bought()
    box.provider.refuses = True
    assert refused(box.give_back(order, 400, "ill")) == "payment_refused"
    box.provider.refuses = False
    assert isinstance(box.give_back(order, 1000, "ill"), Order)
    assert box.kinds(order) == ["purchase", "refund"]


def test_refunds_made_at_the_provider_are_booked_and_one_that_fails_is_taken_back(box: PaymentsWorld) -> None:
    order = box.bought()
    box.handle(box.provider.give_back(session(order), 1000))
    assert (box.read(order).state, box.days_left(order)) == (OrderState.REFUNDED, 0)
    box.handle(box.provider.refund_fails(session(order)))
    assert (box.read(order).state, box.days_left(order)) == (OrderState.PAID, 30)
    assert [text.gross for text in box.invoices(order)] == [1000, -1000, 1000]


@pytest.mark.parametrize(
    ("price", "parts"),
    [
        (Money(1000, "EUR"), (333, 333, 334)),
        (Money(1000, "EUR"), (1, 1, 1, 997)),
        (Money(1199, "JPY"), (400, 400, 399)),
        (Money(12_500, "KWD"), (4_170, 4_170, 4_160)),
    ],
)
def test_invoice_and_credit_notes_of_a_full_refund_add_up_to_zero(
    box: PaymentsWorld, price: Money, parts: tuple[int, ...]
) -> None:
    with box.world.store.writing() as connection:
        connection.execute(update(companies).values(vat_rate_bp=1900))
        plan = create_plan(connection, PlanDetails("30 days", 30, price), box.world.clock())
    assert isinstance(plan, Plan)
    order = box.bought(plan=plan.id)
    for part in parts:
        assert isinstance(box.give_back(order, part, "ill"), Order)
    assert added_up(box.invoices(order)) == (0, 0, 0)
    box.handle(box.provider.refund_fails(session(order)))
    assert box.read(order).refunded == 0
    vat = vat_in(price.amount, 1900)
    assert added_up(box.invoices(order)) == (price.amount, price.amount - vat, vat)


def test_a_refund_of_money_that_a_dispute_took_books_none_of_it_again(box: PaymentsWorld) -> None:
    with box.world.store.writing() as connection:
        connection.execute(update(companies).values(vat_rate_bp=1900))
    order = box.bought()
    box.handle(box.provider.dispute(session(order)))
    box.handle(box.provider.close_dispute(session(order), won=False))
    box.handle(box.provider.give_back(session(order), 400))
    assert [text.gross for text in box.invoices(order)] == [1000, -1000]
    box.handle(box.provider.refund_fails(session(order)))
    assert box.read(order).refunded == 1000
    assert added_up(box.invoices(order)) == (0, 0, 0)


def test_a_reversal_after_nothing_was_refunded_adds_up_to_zero(box: PaymentsWorld) -> None:
    member, now = box.world.newcomer(), box.world.clock()
    with box.world.store.writing() as connection:
        connection.execute(update(companies).values(vat_rate_bp=700))
        sold = sell_at_desk(connection, member, box.world.plan, Method.CASH, member, now)
        assert isinstance(sold, Order)
        assert isinstance(reverse_at_desk(connection, sold.id, "a mistake", member, now), Order)
    assert added_up(box.invoices(sold)) == (0, 0, 0)


def added_up(texts: list[InvoiceText]) -> tuple[int, int, int]:
    return sum(text.gross for text in texts), sum(text.net for text in texts), sum(text.vat for text in texts)


def test_nobody_is_refunded_who_has_not_paid(box: PaymentsWorld) -> None:
    order = box.order()
    assert refused(box.give_back(order, None, "?")) == "order_not_paid"


def test_a_dispute_suspends_and_one_that_is_won_gives_the_days_again(box: PaymentsWorld) -> None:
    order = box.bought()
    gym = box.world.gym()
    box.days_pass(10)
    box.handle(box.provider.dispute(session(order)))
    assert box.read(order).state is OrderState.DISPUTED
    answer = box.world.answer(box.world.scan(gym, box.world.code(order.member_id)))
    assert (answer.reason, answer.remedy) == (Reason.IN_ARREARS, Remedy.PAY)
    assert refused(box.give_back(order, None, "?")) == "order_disputed"
    box.days_pass(30)
    late = box.world.answer(box.world.scan(gym, box.world.code(order.member_id)))
    assert late.reason is Reason.IN_ARREARS, "its days are withheld, not used up"
    box.handle(box.provider.close_dispute(session(order), won=True))
    assert (box.read(order).state, box.days_left(order)) == (OrderState.PAID, 20)
    assert box.world.answer(box.world.scan(gym, box.world.code(order.member_id))).outcome is Outcome.ENTERED


def test_a_dispute_that_is_lost_takes_the_days_and_the_money(box: PaymentsWorld) -> None:
    order = box.bought()
    box.days_pass(10)
    box.handle(box.provider.dispute(session(order)))
    box.days_pass(30)
    box.handle(box.provider.close_dispute(session(order), won=False))
    assert (box.read(order).state, box.days_left(order)) == (OrderState.LOST, -30)
    assert [text.gross for text in box.invoices(order)] == [1000, -1000]
    assert refused(box.give_back(order, None, "?")) == "order_not_paid"


def test_a_question_of_the_bank_suspends_nobody(box: PaymentsWorld) -> None:
    order = box.bought()
    box.handle(box.provider.dispute(session(order), inquiry=True))
    assert box.read(order).state is OrderState.PAID
    assert box.kinds(order) == ["purchase"]


def test_a_delayed_payment_prolongs_when_it_arrives_and_not_before(box: PaymentsWorld) -> None:
    order = box.order()
    box.handle(box.provider.pay(session(order), later=True))
    assert box.read(order).state is OrderState.PROCESSING
    assert box.kinds(order) == []
    box.days_pass(4)
    box.handle(box.provider.finish(session(order), succeeds=True))
    assert (box.read(order).state, box.days_left(order)) == (OrderState.PAID, 30)


def test_a_delayed_payment_that_fails_and_a_page_that_expires_prolong_nothing(box: PaymentsWorld) -> None:
    late, gone = box.order(), box.order()
    box.handle(box.provider.pay(session(late), later=True), box.provider.expire(session(gone)))
    box.handle(box.provider.finish(session(late), succeeds=False))
    assert (box.read(late).state, box.read(gone).state) == (OrderState.FAILED, OrderState.EXPIRED)
    assert box.kinds(late) == box.kinds(gone) == []
    with box.world.store.reading() as connection:
        assert connection.execute(select(open_orders)).all() == []


def test_events_out_of_order_repeated_and_days_late(box: PaymentsWorld) -> None:
    order = box.order()
    paid = box.provider.pay(session(order))
    back = box.provider.give_back(session(order), 400)
    disputed = box.provider.dispute(session(order))
    won = box.provider.close_dispute(session(order), won=True)
    box.days_pass(3)
    box.handle(won, back, disputed, paid)
    box.receive(paid, back)
    box.handle(back, paid, won)
    assert box.read(order).state is OrderState.PAID
    assert box.read(order).refunded == 400
    assert sorted(set(box.kinds(order))) == ["dispute_opened", "dispute_won", "purchase", "refund"]
    assert box.days_left(order) == 18
    assert box.event_state(paid) == "handled"


def test_an_event_of_an_unknown_order_or_kind_is_kept_and_changes_nothing(box: PaymentsWorld) -> None:
    order = box.bought()
    foreign = replace(box.provider.events[-1], id="evt_x", order_id=None, session_id="cs_x", payment_intent_id="pi_x")
    other = replace(box.provider.events[-1], id="evt_y", type="customer.created")
    box.handle(foreign)
    box.receive(other)
    assert box.event_state(foreign) == box.event_state(other) == "ignored"
    assert box.kinds(order) == ["purchase"]


def test_an_event_is_handed_on_once_under_its_orders_key(box: PaymentsWorld) -> None:
    order = box.order()
    event = box.provider.pay(session(order))
    box.receive(event)
    (told,) = box.receive(event)
    assert (told.event_id, told.order_id) == (event.id, order.id)


def test_an_event_that_could_not_be_handed_on_is_new_when_it_is_sent_again(box: PaymentsWorld) -> None:
    event = box.provider.pay(session(box.order()))
    with pytest.raises(ZeroDivisionError):
        box.world.store.written(lambda connection: _stored_and_rolled_back(connection, box, event))
    assert [told.event_id for told in box.receive(event)] == [event.id]


def _stored_and_rolled_back(connection: Connection, box: PaymentsWorld, event: ProviderEvent) -> float:
    assert store_provider_events(connection, [event], box.world.clock()) == 1
    return 1 / 0


def test_stopped_between_the_providers_answer_and_our_commit(box: PaymentsWorld) -> None:
    box.provider.loses_answer = lambda call: call == "open_checkout"
    member = box.world.newcomer()
    with pytest.raises(PaymentsUnavailableError):
        box.checkout(member)
    box.provider.loses_answer = lambda _call: False
    (session_id,) = box.provider.pages
    event = box.provider.pay(session_id)
    box.handle(event)
    with box.world.store.reading() as connection:
        (order_id,) = connection.execute(select(orders.c.id)).scalars()
        order = OrderRepository(connection).order(order_id)
    assert order is not None
    assert (order.state, order.session_id) == (OrderState.PAID, session_id)
    assert box.days_left(order) == 30


def test_while_the_provider_is_unavailable_nothing_is_lost(box: PaymentsWorld) -> None:
    order = box.order()
    event = box.provider.pay(session(order))
    box.provider.away = lambda call: call == "checkout"
    with pytest.raises(PaymentsUnavailableError):
        box.handle(event)
    assert box.event_state(event) == "received"
    box.provider.away = lambda _call: False
    box.handle(event)
    assert box.read(order).state is OrderState.PAID


def test_a_page_about_another_amount_is_not_believed(box: PaymentsWorld) -> None:
    order = box.order()
    box.provider.pay(session(order))
    box.provider.pages[session(order)] = replace(box.provider.pages[session(order)], price=Money(1, "EUR"))
    seen = box.settled(order)
    assert seen.state is OrderState.OPEN
    assert seen.problem is not None
    assert "0.01 EUR" in seen.problem
    assert box.reconciliation.run().problems == {order.id: seen.problem}
    assert box.kinds(order) == []


def test_a_missed_webhook_is_made_up_for_and_what_is_of_nobody_is_reported(box: PaymentsWorld) -> None:
    paid, given_back = box.order(), box.bought()
    box.provider.pay(session(paid))
    box.provider.give_back(session(given_back), 1000)
    box.days_pass(0.1)
    done = box.reconciliation.run()
    assert done.events_missed == 3
    assert (box.read(paid).state, box.read(given_back).state) == (OrderState.PAID, OrderState.REFUNDED)
    again = box.reconciliation.run()
    assert (again.events_missed, again.orders_checked, again.mended) == (0, 0, [])


def test_an_order_that_fails_by_itself_holds_up_neither_later_orders_nor_refunds(box: PaymentsWorld) -> None:
    """The provider fails for one order, we for another; both come first."""
    broken, odd, paid = box.order(), box.order(), box.order()
    given_back = box.bought()
    box.provider.away = lambda call: call == "refund"
    with pytest.raises(PaymentsUnavailableError):
        box.give_back(given_back, None, "moved away")
    asking = box.provider.checkout

    def checkout(session_id: str) -> Checkout:
        if session_id == broken.session_id:
            raise PaymentsUnavailableError("500, for this one only")
        if session_id == odd.session_id:
            raise ValueError("nobody has thought of that")
        return asking(session_id)

    box.provider.away = lambda _call: False
    box.provider.checkout = checkout  # type: ignore[method-assign] # for two of its pages
    box.provider.pay(session(paid))
    box.provider.events.clear()
    box.days_pass(0.1)
    done = box.reconciliation.run()
    assert (done.failures, done.refunds_asked, done.mended) == (2, 1, [paid.id])
    assert done.problems == {
        broken.id: "could not be brought up to date (PaymentsUnavailableError)",
        odd.id: "could not be brought up to date (ValueError)",
    }
    assert box.read(given_back).state is OrderState.REFUNDED
    box.provider.checkout = asking  # type: ignore[method-assign] # as it was
    again = box.reconciliation.run()
    assert (again.failures, again.problems) == (0, {})


def test_a_refund_that_fails_by_itself_holds_up_no_later_one(box: PaymentsWorld) -> None:
    first, second = box.bought(), box.bought()
    box.provider.away = lambda call: call == "refund"
    for order in (first, second):
        with pytest.raises(PaymentsUnavailableError):
            box.give_back(order, None, "moved away")
    box.provider.away = lambda call: call == "refund" and box.provider.calls["refund"] == 3
    box.days_pass(0.1)
    done = box.reconciliation.run()
    assert (done.failures, done.refunds_asked) == (1, 1)
    assert [box.read(order).state for order in (first, second)] == [OrderState.PAID, OrderState.REFUNDED]
    box.reconciliation.run()
    assert box.read(first).state is OrderState.REFUNDED


def test_an_event_whose_order_cannot_be_found_out_holds_up_no_other(box: PaymentsWorld) -> None:
    odd, paid = box.order(), box.order()
    box.provider.pay(session(odd))
    box.provider.events[0] = replace(box.provider.events[0], order_id=None, session_id=None)
    box.provider.pay(session(paid))

    def order_of(payment_intent_id: str) -> UUID | None:
        raise ValueError(f"nobody has thought of {payment_intent_id}")

    box.provider.order_of = order_of  # type: ignore[method-assign] # for the first
    done = box.reconciliation.run(timedelta(days=1))
    assert (done.events_missed, done.failures, done.mended) == (2, 1, [paid.id])


def test_missed_events_are_kept_in_parts(box: PaymentsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    bought = [box.order() for _ in range(5)]
    for order in bought:
        box.provider.pay(session(order))
    monkeypatch.setattr("domain.payments.reconciliation._AT_ONCE", 2)
    done = box.reconciliation.run(timedelta(seconds=60))
    assert (done.events_missed, len(done.mended), done.failures) == (5, 5, 0)
    assert {box.event_state(event) for event in box.provider.events} == {"handled"}


def test_an_unavailable_provider_ends_the_run_at_its_first_order(box: PaymentsWorld) -> None:
    for _ in range(3):
        box.order()
    box.days_pass(0.1)
    box.provider.calls.clear()
    box.provider.away = lambda call: call == "checkout" or box.provider.calls["happened_since"] > 1
    with pytest.raises(PaymentsUnavailableError):
        box.reconciliation.run()
    assert box.provider.calls["checkout"] == 1


def test_many_open_orders_are_looked_up_in_one_list(box: PaymentsWorld) -> None:
    bought = [box.order() for _ in range(60)]
    for order in bought[:3]:
        box.provider.pay(session(order))
    box.provider.events.clear()
    box.provider.calls.clear()
    box.days_pass(0.1)
    done = box.reconciliation.run()
    assert done.orders_checked == 60
    assert len(done.mended) == 3
    assert box.provider.calls == {"happened_since": 1, "checkouts_since": 1, "checkout": 3}


def test_the_door_asks_once_before_it_refuses_somebody_who_has_just_paid(box: PaymentsWorld) -> None:
    gym = box.world.gym()
    order = box.order()
    scan = box.world.scan(gym, box.world.code(order.member_id))
    (asked,) = box.world.ask(scan)
    assert type(asked).__name__ == "CheckPayment"
    box.provider.pay(session(order))
    box.settlement.settle_member(order.member_id)
    assert box.world.answer(replace(scan, payment_checked=True)).outcome is Outcome.ENTERED


@pytest.mark.parametrize("which", range(3))
def test_whichever_open_order_was_paid_the_door_learns_of_it_and_of_all_at_once(box: PaymentsWorld, which: int) -> None:
    gym, member = box.world.gym(), box.world.newcomer()
    bought = [box.order(member, cancel=f"{CANCEL}/{n}") for n in range(6)][-3:]
    asking, all_asked = box.provider.checkout, threading.Barrier(3)

    def checkout(session_id: str) -> Checkout:
        all_asked.wait(30)  # which one call after the other would never pass
        return asking(session_id)

    box.provider.pay(session(bought[which]))
    box.provider.checkout = checkout  # type: ignore[method-assign] # a slow one
    box.settlement.settle_member(member)
    assert box.world.answer(box.world.scan(gym, box.world.code(member))).outcome is Outcome.ENTERED


def test_an_open_order_that_cannot_be_asked_about_keeps_none_of_the_others_from_the_door(box: PaymentsWorld) -> None:
    member = box.world.newcomer()
    bought = [box.order(member, cancel=f"{CANCEL}/{n}") for n in range(3)]
    asking = box.provider.checkout

    def checkout(session_id: str) -> Checkout:
        if session_id == bought[2].session_id:
            raise PaymentsUnavailableError("for this one only")
        return asking(session_id)

    box.provider.pay(session(bought[0]))
    box.provider.checkout = checkout  # type: ignore[method-assign] # for one of its pages
    with pytest.raises(PaymentsUnavailableError):
        box.settlement.settle_member(member)
    assert box.read(bought[0]).state is OrderState.PAID


def test_paid_at_the_desk_and_reversed_the_same_day(box: PaymentsWorld) -> None:
    member, staff = box.world.newcomer(), box.world.newcomer()
    with box.world.store.writing() as connection:
        first = sell_at_desk(connection, member, box.world.plan, Method.CASH, staff, box.world.clock())
        mistake = sell_at_desk(connection, member, box.world.plan, Method.CARD_TERMINAL, staff, box.world.clock())
    assert isinstance(first, Order)
    assert isinstance(mistake, Order)
    assert box.days_left(first) == 60
    box.world.clock.forward(600)
    with box.world.store.writing() as connection:
        answer = reverse_at_desk(connection, mistake.id, "typed twice", staff, box.world.clock())
    assert isinstance(answer, Order)
    assert answer.state is OrderState.REVERSED
    assert box.days_left(first) == 30
    with box.world.store.reading() as connection:
        takings = end_of_day(connection, box.world.clock(), "Europe/Berlin")
    assert [(each.method, each.sales, each.taken, each.given_back, each.kept) for each in takings] == [
        (Method.CARD_TERMINAL, 1, 1000, 1000, 0),
        (Method.CASH, 1, 1000, 0, 1000),
    ]
    assert {each.by_id for each in takings} == {staff}
    box.days_pass(1)
    with box.world.store.writing() as connection:
        late = reverse_at_desk(connection, first.id, "too late", staff, box.world.clock())
    assert isinstance(late, PaymentRefusal)
    assert late.problem == "not_reversible"


def test_ledger_rows_are_only_ever_added(box: PaymentsWorld) -> None:
    order = box.bought()
    with box.world.store.reading() as connection:
        before = connection.execute(select(ledger_entries).order_by(ledger_entries.c.number)).all()
    box.days_pass(2)
    box.give_back(order, 500, "half")
    with box.world.store.reading() as connection:
        after = connection.execute(select(ledger_entries).order_by(ledger_entries.c.number)).all()
    assert after[: len(before)] == before
    assert len(after) == len(before) + 1


def test_a_membership_that_is_not_what_its_ledger_says_is_found(world: World) -> None:
    box = PaymentsWorld(world)
    order = box.bought()
    with world.store.writing() as connection:
        row = connection.execute(select(memberships.c.ends_at)).scalar_one()
        connection.execute(update(memberships).values(ends_at=row + timedelta(days=1)))
        connection.execute(update(orders).where(orders.c.id == order.id).values(refunded=1))
    found = {each.about: each.what for each in box.disagreements()}
    assert "ends_at" in found[order.membership_id or order.id]
    assert order.id in found
    box.handler.close()


def test_plans_of_other_gyms_are_another_membership(box: PaymentsWorld) -> None:
    gym = box.world.gym()
    with box.world.store.writing() as connection:
        plan = create_plan(
            connection,
            PlanDetails("One gym", 30, Money(700, "EUR"), covers_all_gyms=False, gyms=frozenset({gym})),
            box.world.clock(),
        )
    assert isinstance(plan, Plan)
    member = box.world.newcomer()
    box.bought(member)
    box.bought(member, plan.id)
    with box.world.store.reading() as connection:
        ends = connection.execute(select(memberships.c.ends_at, memberships.c.plan_id)).all()
    assert {row.plan_id for row in ends} == {box.world.plan, plan.id}
    assert len({row.ends_at for row in ends}) == 1, "neither prolongs the other"


def test_what_is_exported_is_plain_json(box: PaymentsWorld) -> None:
    order = box.bought()
    with box.world.store.reading() as connection:
        exported = export_account(connection, order.member_id)
    assert len(exported["ledger"]) == len(exported["orders"]) == len(exported["invoices"]) == 1
    json.dumps(exported)


def test_after_a_refund_no_days_of_grace_follow(box: PaymentsWorld) -> None:
    gym = box.world.gym()
    order = box.bought()
    box.days_pass(10)
    box.give_back(order, None, "moved away")
    answer = box.world.answer(box.world.scan(gym, box.world.code(order.member_id)))
    assert (answer.reason, answer.remedy) == (Reason.MEMBERSHIP_ENDED, Remedy.RENEW)
    again = box.bought(order.member_id)
    box.days_pass(31)
    in_grace = box.world.answer(box.world.scan(gym, box.world.code(again.member_id)))
    assert (in_grace.outcome, in_grace.remedy) == (Outcome.ENTERED, Remedy.RENEW), "who pays anew has grace anew"


def test_a_key_that_is_not_accepted_ends_no_order(box: PaymentsWorld) -> None:
    order = box.order()
    box.provider.away = lambda _call: True
    with pytest.raises(PaymentsUnavailableError):
        box.settlement.settle(order.id)
    assert box.read(order).state is OrderState.OPEN


def test_an_event_that_could_not_be_handled_is_tried_again_however_old(box: PaymentsWorld) -> None:
    order = box.order()
    event = box.provider.pay(session(order))
    (told,) = box.receive(event)
    assert box.handler.on_dead_letter(told) is False
    assert box.event_state(event) == "failed"
    box.days_pass(2)
    newer = box.order()
    box.handle(box.provider.pay(session(newer)))
    box.reconciliation.run(timedelta(seconds=60))
    assert box.event_state(event) == "handled"
    assert box.read(order).state is OrderState.PAID


def test_events_of_other_api_versions_are_believed_no_more_and_no_less(box: PaymentsWorld) -> None:
    bought = [box.order() for _ in range(3)]
    told = [box.provider.pay(session(order)) for order in bought]
    versions = ("2019-05-16", "2099-01-01.future", None)
    box.handle(*(replace(event, api_version=version) for event, version in zip(told, versions, strict=True)))
    assert {box.read(order).state for order in bought} == {OrderState.PAID}


def test_a_freeze_takes_those_memberships_that_have_days_there(box: PaymentsWorld) -> None:
    gym, member = box.world.gym(), box.world.newcomer()
    with box.world.store.writing() as connection:
        details = PlanDetails("One gym", 30, Money(700, "EUR"), covers_all_gyms=False, gyms=frozenset({gym}))
        plan = create_plan(connection, details, box.world.clock())
    assert isinstance(plan, Plan)
    box.bought(member, plan.id)
    for _ in range(2):
        box.bought(member)
    start = box.world.clock().date() + timedelta(days=40)
    with box.world.store.writing() as connection:
        frozen = freeze(connection, member, 7, start, None, BookingOrigin(member, "away"), box.world.clock())
        booked = LedgerRepository(connection).held_by(member)
    assert frozen is None
    left = {each.plan.id: (each.balance.ends_on or start) - start for each in booked}
    assert left == {plan.id: timedelta(days=-10), box.world.plan: timedelta(days=27)}
    with box.world.store.writing() as connection:
        late = start + timedelta(days=60)
        refused_ = freeze(connection, member, 7, late, None, BookingOrigin(member, "away"), box.world.clock())
    assert isinstance(refused_, MembershipRefusal)
