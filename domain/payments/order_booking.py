"""Books a payment, refund or dispute of an order in one unit of work: days, money, invoice. The member is locked."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from domain.memberships import ledger_rules
from domain.memberships.booked_membership import BookedMembership, BookingOrigin
from domain.memberships.ledger import Draft
from domain.memberships.ledger_rules import LONGEST_AHEAD_WHEN_PAID, Paid, refuse_grant
from domain.memberships.periods import Period
from domain.memberships.plan_repository import PlanRepository
from domain.memberships.repository import LedgerRepository
from domain.money import Money
from domain.payments.invoice_repository import InvoiceRepository
from domain.payments.invoices import InvoiceKind
from domain.payments.model import DisputeState, Order, OrderState, Refund, RefundState
from domain.payments.ports import Buyer, Checkout, ProvidedDispute, ProvidedRefund
from domain.payments.repository import OrderRepository


class OrderBooking:
    """An order and its member's ledger, locked until the unit of work ends. Every step is idempotent.

    Args:
        order: read after its member was locked.
    """

    def __init__(self, connection: Connection, order: Order, now: datetime) -> None:
        self._orders = OrderRepository(connection)
        self._ledger = LedgerRepository(connection)
        self._invoices = InvoiceRepository(connection)
        self._plans = PlanRepository(connection)
        self._now = now
        self.order = order

    @classmethod
    def locked(cls, connection: Connection, order_id: UUID, now: datetime) -> "OrderBooking | None":
        """Lock the member of an order, then the order."""
        orders = OrderRepository(connection)
        known = orders.order(order_id)
        if known is None or not LedgerRepository(connection).lock_member(known.member_id):
            return None
        order = orders.order(order_id, lock=True)
        return None if order is None else cls(connection, order, now)

    def pay(self, buyer: Buyer | None, who: BookingOrigin) -> None:
        """Book a payment: days and invoice."""
        order = self.order
        if order.is_fulfilled:
            return
        plan = self._plans.plan(order.plan_id)
        assert plan is not None  # noqa: S101 - a foreign key holds it
        held = self._ledger.to_prolong(order.member_id, plan, self._now)
        today = held.today(self._now)
        if refusal := refuse_grant(held.balance, today, order.days, LONGEST_AHEAD_WHEN_PAID):
            self._keep(problem=f"paid, but not booked: {refusal.detail}"[:200])
            return
        drafts = ledger_rules.purchase(held.balance, today, order.days, order.price, order.id)
        self._ledger.book(held, drafts, who, self._now)
        self._keep(membership_id=held.id, state=OrderState.PAID, paid_at=self._now, problem=None)
        self._invoices.issue(
            self.order,
            InvoiceKind.INVOICE,
            order.price,
            f"order:{order.id}",
            self._now,
            issued_on=today,
            period=drafts[0].period,
            buyer=buyer,
        )

    def see(self, checkout: Checkout) -> None:
        """Apply the state of a checkout page to an order that is not fulfilled yet."""
        order = self.order
        if order.is_fulfilled:
            return
        seen = {
            "session_id": checkout.session_id,
            "checkout_url": checkout.url or order.checkout_url,
            "payment_intent_id": checkout.payment_intent_id or order.payment_intent_id,
            "charge_id": checkout.charge_id or order.charge_id,
            "expires_at": checkout.expires_at or order.expires_at,
        }
        self._keep(**seen)
        if checkout.price != order.price or checkout.order_id != order.id:
            why = f"the provider's page {checkout.session_id} is about {checkout.price}, the order about {order.price}"
            # Until the page has expired it could still be paid, so the order stays open and needs attention.
            self._keep(problem=why[:200], state=OrderState.EXPIRED if checkout.is_over else order.state)
        elif checkout.is_paid:
            self.pay(checkout.buyer, BookingOrigin(None, "paid", order.method, f"order:{order.id}"))
        elif checkout.has_failed:
            self._keep(state=OrderState.FAILED)
        elif checkout.is_over:
            self._keep(state=OrderState.EXPIRED)
        elif checkout.on_its_way:
            self._keep(state=OrderState.PROCESSING)

    def end(self, state: OrderState, problem: str | None = None) -> None:
        """Close an order that will not be paid."""
        if not self.order.is_fulfilled:
            self._keep(state=state, problem=problem and problem[:200])

    def refund(self, provided: ProvidedRefund) -> None:
        """Apply the state of a refund at the provider."""
        known = self._orders.same_refund(self.order.id, provided)
        refund = replace(known, provider_id=provided.provider_id, state=provided.state)
        if provided.state in {RefundState.SUCCEEDED, RefundState.PENDING} and known.booked_at is None:
            refund = self.give_back(
                refund, BookingOrigin(known.by_id, known.reason, self.order.method, f"refund:{known.id}")
            )
        elif provided.state is RefundState.FAILED and known.booked_at is not None:
            refund = self._take_again(refund)
        if refund != known:
            self._orders.change_refund(refund)
        self.settle_state()

    def give_back(self, refund: Refund, who: BookingOrigin) -> Refund:
        """Book a refund: days, money, credit note. The caller stores the returned refund."""
        order, held = self.order, self._held()
        money = Money(min(refund.amount, order.left.amount), order.price.currency)
        paid = Paid(order.price.amount, order.days, order.refunded)
        today = held.today(self._now)
        drafts = ledger_rules.refund(held.balance, today, money, order.id, paid, refund.provider_id)
        self._ledger.book(held, drafts, who, self._now)
        self._keep(refunded=order.refunded + money.amount)
        self._credit(held, money, f"refund:{refund.id}", drafts, refund.reason)
        return replace(refund, booked_at=self._now, days=-sum(draft.days for draft in drafts))

    def _take_again(self, refund: Refund) -> Refund:
        order, held = self.order, self._held()
        money = Money(self._invoices.credited(f"refund:{refund.id}"), order.price.currency)
        today = held.today(self._now)
        drafts = ledger_rules.refund_failed(
            held.balance, today, money, refund.days, order.id, refund.provider_id or str(refund.id)
        )
        effect = f"refund-failed:{refund.id}"
        self._ledger.book(held, drafts, BookingOrigin(None, "the refund failed", order.method, effect), self._now)
        self._keep(refunded=order.refunded - money.amount)
        if money.amount:
            self._invoices.issue(
                self.order, InvoiceKind.INVOICE, money, effect, self._now, issued_on=today, period=drafts[0].period,
                reason="The refund did not arrive",
            )  # fmt: skip
        return replace(refund, booked_at=None, days=0)

    def dispute(self, provided: ProvidedDispute) -> None:
        """Apply the state of a dispute at the provider. An inquiry, which takes no money, is ignored."""
        state = self._orders.dispute_state(provided.provider_id)
        if state is None:
            if provided.is_inquiry:
                return
            self._orders.add_dispute(self.order.id, provided, self._now)
            drafts = ledger_rules.dispute_opened(provided.provider_id, self.order.id)
            self._book_dispute(self._held(), drafts, provided, "opened")
            state = DisputeState.OPEN
        if state is DisputeState.OPEN and provided.is_won is not None:
            self._close(provided, won=provided.is_won)
        self.settle_state()

    def reverse(self, reverses_id: UUID, who: BookingOrigin) -> None:
        """Reverse a payment at the desk: days, money, credit note."""
        order, held = self.order, self._held()
        today = held.today(self._now)
        drafts = ledger_rules.reversal(held.balance, today, order.left, order.id, reverses_id)
        self._ledger.book(held, drafts, who, self._now)
        self._credit(held, order.left, f"reversal:{order.id}", drafts, who.reason)
        self._keep(refunded=order.price.amount, state=OrderState.REVERSED)

    def _close(self, provided: ProvidedDispute, *, won: bool) -> None:
        held, order = self._held(), self.order
        today = held.today(self._now)
        if won:
            self._orders.close_dispute(provided.provider_id, DisputeState.WON, self._now)
            drafts = ledger_rules.dispute_won(held.balance, today, provided.provider_id, order.id)
            self._book_dispute(held, drafts, provided, "won")
            return
        money = Money(min(provided.amount, order.left.amount), order.price.currency)
        self._orders.close_dispute(provided.provider_id, DisputeState.LOST, self._now)
        drafts = ledger_rules.dispute_lost(held.balance, today, provided.provider_id, order.id, money)
        self._book_dispute(held, drafts, provided, "lost")
        self._credit(held, money, f"dispute:{provided.provider_id}", drafts, "The payment was charged back")
        self._keep(refunded=order.refunded + money.amount, state=OrderState.LOST)

    def _book_dispute(self, held: BookedMembership, drafts: list[Draft], provided: ProvidedDispute, what: str) -> None:
        effect = f"dispute:{provided.provider_id}:{what}"
        self._ledger.book(held, drafts, BookingOrigin(None, f"dispute {what}", self.order.method, effect), self._now)

    def _credit(self, held: BookedMembership, money: Money, effect: str, drafts: list[Draft], reason: str) -> None:
        if not money.amount:
            return  # all of it went back before: a dispute and a refund may be about the same money
        periods = [draft.period for draft in drafts if draft.period and not draft.moves]
        period = Period(min(each.start for each in periods), max(each.end for each in periods)) if periods else None
        self._invoices.issue(
            self.order, InvoiceKind.CREDIT_NOTE, money, effect, self._now, issued_on=held.today(self._now),
            period=period, reason=reason,
        )  # fmt: skip

    def settle_state(self) -> None:
        """Set the state of the order from its refunds and disputes."""
        if self.order.state in {OrderState.LOST, OrderState.REVERSED}:
            return
        state = OrderState.REFUNDED if self.order.left.amount <= 0 else OrderState.PAID
        self._keep(state=OrderState.DISPUTED if self._orders.open_disputes(self.order.id) else state)

    def _held(self) -> BookedMembership:
        membership_id = self.order.membership_id
        held = self._ledger.held(membership_id) if membership_id else None
        if held is None:
            raise ValueError("the order is not fulfilled")
        return held

    def _keep(self, **changes: object) -> None:
        changed = replace(self.order, **changes)  # type: ignore[arg-type] # each of its type, by its callers
        if changed != self.order:
            self._orders.change(changed)
            self.order = changed
