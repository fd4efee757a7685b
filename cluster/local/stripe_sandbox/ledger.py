"""What happens to sessions, payments, refunds and disputes, each with the events that Stripe sends of it."""

import secrets
import time
from typing import Any

from cluster.local.stripe_sandbox.errors import StripeRefusal, invalid, missing
from cluster.local.stripe_sandbox.events import EventLog
from cluster.local.stripe_sandbox.sessions import read_session
from cluster.local.stripe_sandbox.store import Json, SandboxStore

SESSION, INTENT, CHARGE, REFUND, DISPUTE = "checkout.session", "payment_intent", "charge", "refund", "dispute"
DELAYED_SUCCEEDS_AFTER_S = 0  # 0: by somebody's hand only


def new_id(prefix: str) -> str:
    """An id as Stripe makes them."""
    return f"{prefix}_{secrets.token_hex(12)}"


class Ledger:
    """All that can happen. Each method is one change of the store.

    Args:
        store: keeps it.
        events: is told of it.
        base: where pages to pay at are.
    """

    def __init__(self, store: SandboxStore, events: EventLog, base: str) -> None:
        self._store = store
        self._events = events
        self._base = base

    def create_session(self, params: Json) -> Json:
        """A checkout session."""
        now = int(time.time())
        session_id = new_id("cs_test")
        body = read_session(params, session_id, now, f"{self._base}/pay/{session_id}")
        return self._store.put(body, closes=body["expires_at"])

    def session(self, session_id: str) -> Json:
        """A session, or Stripe's 404."""
        return self._found(SESSION, session_id, "checkout.session")

    def pay(self, session_id: str, buyer: Json, *, later: bool = False) -> Json:
        """Somebody pays at a session's page; `later`: by a method that takes days."""
        session = self.session(session_id)
        if session["status"] != "open":
            raise invalid("status", f"This Session is {session['status']}.", "session_not_open")
        now = int(time.time())
        intent_id, charge_id = new_id("pi"), new_id("ch")
        held = session.pop("_payment_intent_data")
        intent: Json = {
            "id": intent_id, "object": INTENT, "amount": session["amount_total"],
            "amount_received": 0 if later else session["amount_total"], "currency": session["currency"],
            "created": now, "latest_charge": None if later else charge_id, "livemode": False,
            "metadata": held.get("metadata") or {}, "status": "processing" if later else "succeeded",
        }  # fmt: skip
        session |= {
            "status": "complete", "payment_status": "unpaid" if later else "paid", "payment_intent": intent_id,
            "url": None, "customer_details": _details(session, buyer),
        }  # fmt: skip
        self._store.put(session)
        self._store.put(intent, payment_intent=intent_id)
        if not later:
            self._charge(intent, charge_id, session)
        self._events.happened("checkout.session.completed", session)
        return session

    def fail(self, session_id: str) -> Json:
        """A card is declined: the session stays open."""
        session = self.session(session_id)
        if session["status"] != "open":
            raise invalid("status", f"This Session is {session['status']}.", "session_not_open")
        return session

    def finish(self, session_id: str, *, succeeds: bool) -> Json:
        """A payment that was on its way arrives, or does not."""
        session = self.session(session_id)
        if session["status"] != "complete" or session["payment_status"] != "unpaid":
            raise invalid("status", "No payment of this Session is on its way.")
        intent = self._found(INTENT, session["payment_intent"], INTENT)
        if succeeds:
            charge_id = new_id("ch")
            intent |= {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": charge_id}
            session["payment_status"] = "paid"
            self._charge(intent, charge_id, session)
        else:
            intent["status"] = "requires_payment_method"
        self._store.put(intent, payment_intent=intent["id"])
        self._store.put(session)
        word = "succeeded" if succeeds else "failed"
        self._events.happened(f"checkout.session.async_payment_{word}", session)
        return session

    def expire(self, session_id: str) -> Json:
        """A session ends, and nobody has paid."""
        session = self.session(session_id)
        if session["status"] != "open":
            raise invalid("id", f"This Session cannot be expired: it is {session['status']}.")
        session |= {"status": "expired", "url": None}
        self._store.put(session)
        self._events.happened("checkout.session.expired", session)
        return session

    def expire_overdue(self) -> None:
        """Sessions end by themselves."""
        for session in self._store.closing(int(time.time())):
            if session["status"] == "open":
                self.expire(session["id"])

    def refund(self, params: Json) -> Json:
        """Money goes back."""
        charge = self._charge_of(params)
        left = charge["amount_captured"] - charge["amount_refunded"]
        if left <= 0:
            raise StripeRefusal(
                400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
            )
        amount = _amount(params.get("amount"), left)
        refund: Json = {
            "id": new_id("re"), "object": REFUND, "amount": amount, "charge": charge["id"],
            "created": int(time.time()), "currency": charge["currency"], "metadata": params.get("metadata") or {},
            "payment_intent": charge["payment_intent"], "reason": params.get("reason"), "status": "succeeded",
        }  # fmt: skip
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] >= charge["amount_captured"]
        self._store.put(refund, payment_intent=charge["payment_intent"])
        self._store.put(charge, payment_intent=charge["payment_intent"])
        self._events.happened("refund.created", refund)
        self._events.happened("charge.refunded", charge)
        return refund

    def fail_refund(self, refund_id: str) -> Json:
        """A refund does not arrive: the money is here again."""
        refund = self._found(REFUND, refund_id, REFUND)
        if refund["status"] != "succeeded":
            raise invalid("id", f"This refund is {refund['status']}.")
        charge = self._found(CHARGE, refund["charge"], CHARGE)
        refund["status"] = "failed"
        self._store.put(refund, payment_intent=refund["payment_intent"])
        self._store.put(charge, payment_intent=refund["payment_intent"])
        self._events.happened("refund.failed", refund)
        return refund

    def dispute(self, intent_id: str, *, inquiry: bool) -> Json:
        """The payer's bank asks for the money, or only asks."""
        charge = self._charge_of({"payment_intent": intent_id})
        dispute: Json = {
            "id": new_id("du"), "object": DISPUTE, "amount": charge["amount"], "charge": charge["id"],
            "created": int(time.time()), "currency": charge["currency"], "livemode": False, "metadata": {},
            "payment_intent": intent_id, "reason": "general",
            "status": "warning_needs_response" if inquiry else "needs_response",
        }  # fmt: skip
        charge["disputed"] = True
        self._store.put(dispute, payment_intent=intent_id)
        self._store.put(charge, payment_intent=intent_id)
        self._events.happened("charge.dispute.created", dispute)
        if not inquiry:
            self._events.happened("charge.dispute.funds_withdrawn", dispute)
        return dispute

    def close_dispute(self, dispute_id: str, status: str) -> Json:
        """A dispute ends: `won`, `lost`, or `warning_closed`."""
        dispute = self._found(DISPUTE, dispute_id, DISPUTE)
        if dispute["status"] in {"won", "lost", "warning_closed"}:
            raise invalid("id", f"This dispute is {dispute['status']}.")
        dispute["status"] = status
        self._store.put(dispute, payment_intent=dispute["payment_intent"])
        self._events.happened("charge.dispute.closed", dispute)
        if status == "won":
            self._events.happened("charge.dispute.funds_reinstated", dispute)
        return dispute

    def _charge(self, intent: Json, charge_id: str, session: Json) -> None:
        details = session["customer_details"]
        charge: Json = {
            "id": charge_id, "object": CHARGE, "amount": intent["amount"], "amount_captured": intent["amount"],
            "amount_refunded": 0, "billing_details": details, "created": int(time.time()),
            "currency": intent["currency"], "disputed": False, "livemode": False, "metadata": intent["metadata"],
            "paid": True, "payment_intent": intent["id"], "refunded": False, "status": "succeeded",
        }  # fmt: skip
        self._store.put(charge, payment_intent=intent["id"])
        self._events.happened("payment_intent.succeeded", intent)
        self._events.happened("charge.succeeded", charge)

    def _charge_of(self, params: Json) -> Json:
        if params.get("charge"):
            return self._found(CHARGE, params["charge"], CHARGE)
        if not params.get("payment_intent"):
            raise invalid("payment_intent", "One of the following params should be provided: payment_intent or charge.")
        intent = self._found(INTENT, params["payment_intent"], INTENT)
        charge = self._store.get(CHARGE, intent["latest_charge"] or "")
        if charge is None:
            raise invalid("payment_intent", "This PaymentIntent has no successful charge to refund or dispute.")
        return charge

    def _found(self, kind: str, object_id: str, name: str) -> Json:
        found = self._store.get(kind, object_id)
        if found is None:
            raise missing(name, object_id)
        return found


def _amount(wanted: Any, left: int) -> int:  # noqa: ANN401 - a parameter as it came
    if wanted is None:
        return left
    if not str(wanted).isdigit() or int(wanted) == 0:
        raise invalid("amount", f"Invalid positive integer: {wanted}", "parameter_invalid_integer")
    if int(wanted) > left:
        raise invalid("amount", f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({left})")
    return int(wanted)


def _details(session: Json, buyer: Json) -> Json:
    return {
        "email": buyer.get("email") or session.get("customer_email"),
        "name": buyer.get("name"),
        "phone": None,
        "address": {
            name: (buyer.get("address") or {}).get(name)
            for name in ("line1", "line2", "postal_code", "city", "state", "country")
        },
    }
