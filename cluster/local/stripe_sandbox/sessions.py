"""Checkout Sessions: open until they are paid or expire."""

from typing import Literal

from cluster.local.stripe_sandbox import payments
from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.parameters import Buyer, NewSession, SessionExpansion
from cluster.local.stripe_sandbox.payments import CHARGE, INTENT
from cluster.local.stripe_sandbox.sandbox import Sandbox
from cluster.local.stripe_sandbox.store import Body, StripeObject, new_id

SESSION = "checkout.session"
DECLINED = "Your card was declined."
Outcome = Literal["succeeded", "failed"]

_MIN_OPEN_S, _MAX_OPEN_S = 30 * 60, 24 * 3600
_ADDRESS_FIELDS = ("city", "country", "line1", "line2", "postal_code", "state")


def create(sandbox: Sandbox, _: str, sent: NewSession) -> Body:
    """Open a session.

    Raises:
        SandboxError: `expires_at` is too early or too late.
    """
    now = sandbox.store.now()
    expires_at = now + _MAX_OPEN_S if sent.expires_at is None else sent.expires_at
    if not now + _MIN_OPEN_S <= expires_at <= now + _MAX_OPEN_S:
        message = "The `expires_at` timestamp must be from 30 minutes to 24 hours after Checkout Session creation."
        raise SandboxError(message, param="expires_at")
    session_id = new_id("cs_test")
    price = sent.line_items["0"].price_data
    amount, currency = price.unit_amount, price.currency
    session: Body = {
        "id": session_id,
        "object": SESSION,
        "amount_subtotal": amount,
        "amount_total": amount,
        "billing_address_collection": sent.billing_address_collection,
        "cancel_url": sent.cancel_url,
        "client_reference_id": sent.client_reference_id,
        "created": now,
        "currency": currency,
        "customer_details": _details(Buyer(email=sent.customer_email)) if sent.customer_email else None,
        "customer_email": sent.customer_email,
        "expires_at": expires_at,
        "livemode": False,
        "metadata": dict(sent.metadata),
        "mode": sent.mode,
        "payment_intent": None,
        "payment_method_types": ["card", "sepa_debit"],
        "payment_status": "unpaid",
        "status": "open",
        "success_url": sent.success_url,
        "url": f"{sandbox.base_url}/pay/{session_id}",
    }
    line = {"description": price.product_data.name, "amount_total": amount, "currency": currency}
    intent_metadata = dict(sent.payment_intent_data.metadata)
    sandbox.store.save(session, {"due_at": expires_at, "lines": [line], "intent_metadata": intent_metadata})
    return session


def retrieve(sandbox: Sandbox, session_id: str, sent: SessionExpansion) -> Body:
    """Find a session; ids are replaced by objects where the client asks for that."""
    return _expand(sandbox, sandbox.store.get(SESSION, session_id, "session").body, sent)


def pay(sandbox: Sandbox, session_id: str, buyer: Buyer, *, delayed: bool = False) -> Body:
    """Pay by card, which is charged at once, or by bank debit, which `settle` ends.

    Args:
        sandbox: holds the session.
        session_id: of the session.
        buyer: who pays.
        delayed: by bank debit.

    Raises:
        SandboxError: the session is not open.
    """
    found = _open_session(sandbox, session_id)
    session = found.body
    email = buyer.email or session["customer_email"]
    session["customer_details"] = _details(Buyer(name=buyer.name, email=email, address=buyer.address))
    intent = payments.take(sandbox, session, found.extra["intent_metadata"], delayed=delayed)
    session.update(status="complete", url=None, payment_intent=intent["id"])
    if not delayed:
        session["payment_status"] = "paid"
    sandbox.store.save(session, {**found.extra, "due_at": None, "error": None})
    sandbox.events.record("checkout.session.completed", session)
    return session


def settle(sandbox: Sandbox, session_id: str, outcome: Outcome) -> Body:
    """End the bank debit of a session.

    Raises:
        SandboxError: the session has no bank debit, or it has ended.
    """
    found = sandbox.store.get(SESSION, session_id, "session")
    session = found.body
    if session["payment_intent"] is None:
        raise SandboxError(f"This session has no payment: its status is {session['status']}.")
    payments.settle(sandbox, session["payment_intent"], succeeds=outcome == "succeeded")
    if outcome == "succeeded":
        session["payment_status"] = "paid"
    sandbox.store.save(session, {**found.extra, "due_at": None, "has_failed": outcome == "failed"})
    sandbox.events.record(f"checkout.session.async_payment_{outcome}", session)
    return session


def decline(sandbox: Sandbox, session_id: str) -> Body:
    """Decline the buyer's card. The session stays open, and its page shows the reason.

    Raises:
        SandboxError: the session is not open.
    """
    found = _open_session(sandbox, session_id)
    sandbox.store.save(found.body, {**found.extra, "error": DECLINED})
    return found.body


def expire(sandbox: Sandbox, session_id: str, sent: SessionExpansion | None = None) -> Body:
    """Expire an open session.

    Raises:
        SandboxError: the session is not open.
    """
    found = sandbox.store.get(SESSION, session_id, "session")
    session = found.body
    if session["status"] != "open":
        message = 'Only Checkout Sessions with a status in ["open"] can be expired.'
        raise SandboxError(f"{message} This Checkout Session has a status of {session['status']}.")
    session.update(status="expired", url=None)
    sandbox.store.save(session, {**found.extra, "due_at": None})
    sandbox.events.record("checkout.session.expired", session)
    return _expand(sandbox, session, sent or SessionExpansion())


def expire_due(sandbox: Sandbox) -> None:
    """Expire the open sessions whose time is over."""
    for session_id in sandbox.store.due_sessions():
        with sandbox.store.transaction():
            sandbox.events.request = (None, None)
            expire(sandbox, session_id)


def _expand(sandbox: Sandbox, session: Body, sent: SessionExpansion) -> Body:
    if not sent.expand or session["payment_intent"] is None:
        return session
    intent = sandbox.store.get(INTENT, session["payment_intent"]).body
    if "payment_intent.latest_charge" in sent.expand.values():
        intent["latest_charge"] = sandbox.store.get(CHARGE, intent["latest_charge"]).body
    return {**session, "payment_intent": intent}


def _open_session(sandbox: Sandbox, session_id: str) -> StripeObject:
    found = sandbox.store.get(SESSION, session_id, "session")
    if found.body["status"] != "open":
        raise SandboxError(f"This Checkout Session is not open: its status is {found.body['status']}.")
    return found


def _details(buyer: Buyer) -> Body:
    address = {name: buyer.address.get(name) or None for name in _ADDRESS_FIELDS} if buyer.address else None
    return {"address": address, "email": buyer.email or None, "name": buyer.name or None, "phone": None}
