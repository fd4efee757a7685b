"""Payment intents and charges: the money that moves once a session is paid."""

from collections.abc import Mapping
from typing import Any

from cluster.local.stripe_sandbox.errors import MissingResourceError, SandboxError
from cluster.local.stripe_sandbox.events import Events
from cluster.local.stripe_sandbox.ids import new_id
from cluster.local.stripe_sandbox.store import Body, Kept, Store

INTENT, CHARGE = "payment_intent", "charge"
DECLINED = "Your card was declined."
_NOT_ARRIVED = "The customer's bank account could not be debited."
NO_ADDRESS: Mapping[str, str | None] = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


class Payments:
    """Makes and settles payments.

    Args:
        store: where they are kept.
        events: what happens to them.
    """

    def __init__(self, store: Store, events: Events) -> None:
        self._store = store
        self._events = events

    def take(
        self,
        amount: int,
        currency: str,
        metadata: Mapping[str, str],
        details: Body,
        description: str | None,
        *,
        delayed: bool,
    ) -> Body:
        """Take money at once, or begin to take it by a delayed method.

        Args:
            amount: in minor units.
            currency: in small letters.
            metadata: of the intent and its charge.
            details: who pays: `email`, `name`, `phone`, `address`.
            description: of the intent and its charge.
            delayed: whether it is only on its way.

        Returns:
            The payment intent.
        """
        method = "sepa_debit" if delayed else "card"
        intent = _intent(amount, currency, metadata, method, self._store.now())
        charge = _charge(intent, metadata, details, method)
        intent["latest_charge"] = charge["id"]
        intent["description"] = charge["description"] = description
        if delayed:
            intent.update(status="processing", amount_received=0)
            charge.update(status="pending", paid=False)
        self._store.save(intent)
        self._store.save(charge)
        self._events.tell("charge.pending" if delayed else "charge.succeeded", charge)
        self._events.tell("payment_intent.processing" if delayed else "payment_intent.succeeded", intent)
        return intent

    def settle(self, intent_id: str, *, arrives: bool) -> Body:
        """End a payment that was on its way.

        Raises:
            SandboxError: it is not on its way.
        """
        intent = self.intent(intent_id).body
        if intent["status"] != "processing":
            raise SandboxError(f"This payment is not on its way: it is {intent['status']}.")
        charge = self.charge(intent["latest_charge"]).body
        if arrives:
            intent.update(status="succeeded", amount_received=intent["amount"])
            charge.update(status="succeeded", paid=True)
        else:
            failure = {"code": "payment_intent_payment_attempt_failed", "message": _NOT_ARRIVED}
            error = {**failure, "type": "invalid_request_error", "charge": charge["id"]}
            intent.update(status="requires_payment_method", last_payment_error=error)
            charge.update(
                status="failed",
                amount_captured=0,
                captured=False,
                failure_code=failure["code"],
                failure_message=_NOT_ARRIVED,
                outcome=_outcome(approved=False),
            )
        self._store.save(intent)
        self._store.save(charge)
        self._events.tell("charge.succeeded" if arrives else "charge.failed", charge)
        self._events.tell("payment_intent.succeeded" if arrives else "payment_intent.payment_failed", intent)
        return intent

    def intent(self, intent_id: str, param: str = "intent") -> Kept:
        """A payment intent by its id.

        Raises:
            MissingResourceError: there is none.
        """
        kept = self._store.find(intent_id, INTENT)
        if kept is None:
            raise MissingResourceError(INTENT, intent_id, param)
        return kept

    def charge(self, charge_id: str, param: str = "id") -> Kept:
        """A charge by its id.

        Raises:
            MissingResourceError: there is none.
        """
        kept = self._store.find(charge_id, CHARGE)
        if kept is None:
            raise MissingResourceError(CHARGE, charge_id, param)
        return kept


def _intent(amount: int, currency: str, metadata: Mapping[str, str], method: str, now: int) -> Body:
    intent_id = new_id("pi")
    return {
        "id": intent_id,
        "object": INTENT,
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": amount,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{intent_id}_secret_{new_id('')[1:]}",
        "confirmation_method": "automatic",
        "created": now,
        "currency": currency,
        "customer": None,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": dict(metadata),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": new_id("pm"),
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": [method],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "succeeded",
        "transfer_data": None,
        "transfer_group": None,
    }


def _charge(intent: Body, metadata: Mapping[str, str], details: Body, method: str) -> Body:
    billing = {
        "address": details.get("address") or dict(NO_ADDRESS),
        "email": details.get("email"),
        "name": details.get("name"),
        "phone": details.get("phone"),
        "tax_id": None,
    }
    return {
        "id": new_id("ch"),
        "object": CHARGE,
        "amount": intent["amount"],
        "amount_captured": intent["amount"],
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": billing,
        "calculated_statement_descriptor": "SANDBOX",
        "captured": True,
        "created": intent["created"],
        "currency": intent["currency"],
        "customer": None,
        "description": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(metadata),
        "on_behalf_of": None,
        "outcome": _outcome(approved=True),
        "paid": True,
        "payment_intent": intent["id"],
        "payment_method": intent["payment_method"],
        "payment_method_details": _method_details(method),
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "succeeded",
        "transfer_data": None,
        "transfer_group": None,
    }


def _outcome(*, approved: bool) -> dict[str, Any]:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network" if approved else "declined_by_network",
        "reason": None if approved else "generic_decline",
        "risk_level": "normal",
        "seller_message": "Payment complete." if approved else "The bank did not return any further details.",
        "type": "authorized" if approved else "issuer_declined",
    }


def _method_details(method: str) -> dict[str, Any]:
    if method == "card":
        card = {"brand": "visa", "country": "US", "exp_month": 12, "exp_year": 2040, "funding": "credit"}
        return {"type": "card", "card": {**card, "last4": "4242", "network": "visa"}}
    debit = {"bank_code": "37040044", "branch_code": None, "country": "DE", "fingerprint": None, "last4": "3000"}
    return {"type": "sepa_debit", "sepa_debit": {**debit, "mandate": None}}
