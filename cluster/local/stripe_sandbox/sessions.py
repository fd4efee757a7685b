"""Checkout Sessions: open until they are paid or expire."""

from dataclasses import dataclass
from typing import Any, Literal

from cluster.local.stripe_sandbox.errors import MissingResourceError, SandboxError
from cluster.local.stripe_sandbox.events import Events
from cluster.local.stripe_sandbox.ids import new_id
from cluster.local.stripe_sandbox.orders import Line, read_order
from cluster.local.stripe_sandbox.parameters import Parameters
from cluster.local.stripe_sandbox.payments import DECLINED, NO_ADDRESS, Payments
from cluster.local.stripe_sandbox.store import Body, Kept, Store
from cluster.local.stripe_sandbox.switches import Panel

SESSION = "checkout.session"
SUCCEEDED: Literal["succeeded"] = "succeeded"
FAILED: Literal["failed"] = "failed"
Outcome = Literal["succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who pays, as far as was entered. An address has Stripe's names: `line1`, `postal_code`, `country`, …."""

    name: str | None = None
    email: str | None = None
    address: Body | None = None


class Sessions:
    """Makes, completes and expires sessions.

    Args:
        store: where they are kept.
        events: what happens to them.
        payments: takes the money.
        panel: decides what delayed payments come to.
        base_url: of this server; their pages are below it.
    """

    def __init__(self, store: Store, events: Events, payments: Payments, panel: Panel, base_url: str) -> None:
        self._store = store
        self._events = events
        self._payments = payments
        self._panel = panel
        self._base_url = base_url

    def create(self, sent: Parameters) -> Body:
        """Open a session.

        Raises:
            SandboxError: the parameters are wrong.
        """
        order = read_order(sent, self._store.now())
        session_id = new_id("cs_test")
        lines = [_line_item(line) for line in order.lines]
        session = {
            **_UNUSED,
            "id": session_id,
            "object": SESSION,
            "amount_subtotal": order.total,
            "amount_total": order.total,
            "billing_address_collection": order.billing_address_collection,
            "cancel_url": order.cancel_url,
            "client_reference_id": order.client_reference_id,
            "created": self._store.now(),
            "currency": order.currency,
            "customer_email": order.customer_email,
            "customer_details": _details(Buyer(email=order.customer_email)) if order.customer_email else None,
            "expires_at": order.expires_at,
            "locale": order.locale,
            "metadata": dict(order.metadata),
            "payment_method_types": list(order.method_types),
            "payment_status": "unpaid" if order.total else "no_payment_required",
            "status": "open",
            "submit_type": order.submit_type,
            "success_url": order.success_url,
            "url": f"{self._base_url}/pay/{session_id}",
        }
        extra = {
            "due_at": order.expires_at,
            "lines": lines,
            "intent_metadata": dict(order.intent_metadata),
            "intent_description": order.intent_description,
        }
        self._store.save(session, extra)
        return session

    def find(self, session_id: str) -> Kept:
        """A session by its id.

        Raises:
            MissingResourceError: there is none.
        """
        kept = self._store.find(session_id, SESSION)
        if kept is None:
            raise MissingResourceError(SESSION, session_id, "session")
        return kept

    def pay(self, session_id: str, buyer: Buyer) -> Body:
        """Complete a session with a payment that arrives at once.

        Raises:
            SandboxError: it is not open.
        """
        kept = self._open(session_id)
        session, extra = self._complete(kept, buyer, delayed=False)
        session["payment_status"] = "paid" if session["amount_total"] else "no_payment_required"
        self._store.save(session, extra)
        self._events.tell("checkout.session.completed", session)
        return session

    def pay_later(
        self, session_id: str, buyer: Buyer, after_s: float | None = None, outcome: Outcome | None = None
    ) -> Body:
        """Complete a session with a payment that is on its way.

        Args:
            session_id: of an open session.
            buyer: who pays.
            after_s: in how many seconds it ends by itself; else as the switches say.
            outcome: how it ends by itself; else as the switches say.

        Raises:
            SandboxError: it is not open, or costs nothing.
        """
        kept = self._open(session_id)
        if not kept.body["amount_total"]:
            raise SandboxError("This session costs nothing: there is nothing to pay later.")
        session, extra = self._complete(kept, buyer, delayed=True)
        switches = self._panel.switches
        wait_s = switches.settle_after_s if after_s is None else after_s
        if wait_s is not None:
            extra["due_at"] = int(self._store.clock() + wait_s)
            extra["outcome"] = outcome or switches.settle_as
        self._store.save(session, extra)
        self._events.tell("checkout.session.completed", session)
        return session

    def settle(self, session_id: str, outcome: Outcome) -> Body:
        """End a delayed payment.

        Raises:
            SandboxError: the session waits for none.
        """
        kept = self.find(session_id)
        session = kept.body
        if session["payment_intent"] is None:
            raise SandboxError(f"No payment of this session is on its way: it is {session['status']}.")
        self._payments.settle(session["payment_intent"], arrives=outcome == SUCCEEDED)
        if outcome == SUCCEEDED:
            session["payment_status"] = "paid"
        self._store.save(session, {**kept.extra, "due_at": None, "has_failed": outcome == FAILED})
        self._events.tell(f"checkout.session.async_payment_{outcome}", session)
        return session

    def decline(self, session_id: str) -> Body:
        """Let a card be declined: the session stays open, and its page tells why.

        Raises:
            SandboxError: it is not open.
        """
        kept = self._open(session_id)
        self._store.save(kept.body, {**kept.extra, "error": DECLINED})
        return kept.body

    def expire(self, session_id: str) -> Body:
        """End an open session.

        Raises:
            SandboxError: it is not open.
        """
        kept = self.find(session_id)
        session = kept.body
        if session["status"] != "open":
            message = 'Only Checkout Sessions with a status in ["open"] can be expired.'
            raise SandboxError(f"{message} This Checkout Session has a status of {session['status']}.")
        session.update(status="expired", url=None)
        self._store.save(session, {**kept.extra, "due_at": None})
        self._events.tell("checkout.session.expired", session)
        return session

    def fall_due(self, session_id: str) -> None:
        """Do what a session does by itself: expire, or end its delayed payment."""
        kept = self.find(session_id)
        if kept.body["status"] == "open":
            self.expire(session_id)
        else:
            self.settle(session_id, kept.extra.get("outcome", SUCCEEDED))

    def _open(self, session_id: str) -> Kept:
        kept = self.find(session_id)
        if kept.body["status"] != "open":
            raise SandboxError(f"This Checkout Session is not open: it is {kept.body['status']}.")
        return kept

    def _complete(self, kept: Kept, buyer: Buyer, *, delayed: bool) -> tuple[Body, Body]:
        session, extra = kept.body, {**kept.extra, "due_at": None, "error": None}
        email = buyer.email or session["customer_email"]
        session["customer_details"] = _details(Buyer(buyer.name, email, buyer.address))
        if session["amount_total"]:
            intent = self._payments.take(
                session["amount_total"],
                session["currency"],
                extra["intent_metadata"],
                session["customer_details"],
                extra["intent_description"],
                delayed=delayed,
            )
            session["payment_intent"] = intent["id"]
        session.update(status="complete", url=None)
        return session, extra


def line_items_of(kept: Kept) -> Body:
    """What a session sells, as a list of Stripe's."""
    url = f"/v1/checkout/sessions/{kept.body['id']}/line_items"
    return {"object": "list", "data": kept.extra["lines"], "has_more": False, "url": url}


def _details(buyer: Buyer) -> Body:
    address = {name: (buyer.address or {}).get(name) or None for name in NO_ADDRESS} if buyer.address else None
    return {
        "address": address,
        "business_name": None,
        "email": buyer.email,
        "individual_name": None,
        "name": buyer.name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }


def _line_item(line: Line) -> Body:
    return {
        "id": new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": line.total,
        "amount_tax": 0,
        "amount_total": line.total,
        "currency": line.currency,
        "description": line.name,
        "price": {
            "id": new_id("price"),
            "object": "price",
            "active": False,
            "billing_scheme": "per_unit",
            "currency": line.currency,
            "livemode": False,
            "metadata": dict(line.metadata),
            "product": new_id("prod"),
            "type": "one_time",
            "unit_amount": line.unit_amount,
            "unit_amount_decimal": str(line.unit_amount),
        },
        "quantity": line.quantity,
    }


# Fields that Stripe's SDK expects to be there, and that nothing here changes.
_UNUSED: dict[str, Any] = {
    "adaptive_pricing": {"enabled": False},
    "after_expiration": None,
    "allow_promotion_codes": None,
    "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
    "client_secret": None,
    "collected_information": None,
    "consent": None,
    "consent_collection": None,
    "currency_conversion": None,
    "custom_fields": [],
    "custom_text": {
        "after_submit": None,
        "shipping_address": None,
        "submit": None,
        "terms_of_service_acceptance": None,
    },
    "customer": None,
    "customer_account": None,
    "customer_creation": "if_required",
    "discounts": [],
    "invoice": None,
    "invoice_creation": {"enabled": False, "invoice_data": {}},
    "livemode": False,
    "mode": "payment",
    "origin_context": None,
    "payment_intent": None,
    "payment_link": None,
    "payment_method_collection": "if_required",
    "payment_method_configuration_details": None,
    "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
    "permissions": None,
    "phone_number_collection": {"enabled": False},
    "recovered_from": None,
    "saved_payment_method_options": None,
    "setup_intent": None,
    "shipping_address_collection": None,
    "shipping_cost": None,
    "shipping_options": [],
    "subscription": None,
    "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    "ui_mode": "hosted_page",
    "wallet_options": None,
}
