"""Payment intents and charges: the money that moves when a session is paid.

The objects have the fields that FIT Monitor or these pages read.
"""

from collections.abc import Mapping
from typing import Any

from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.sandbox import Sandbox
from cluster.local.stripe_sandbox.store import Body, new_id

INTENT, CHARGE = "payment_intent", "charge"
_FAILED = {
    "code": "payment_intent_payment_attempt_failed",
    "message": "The customer's bank account could not be debited.",
}


def take(sandbox: Sandbox, session: Body, metadata: Mapping[str, str], *, delayed: bool) -> Body:
    """Take the money of a session.

    Args:
        sandbox: where it is recorded.
        session: what is paid, and by whom.
        metadata: of the intent and its charge.
        delayed: the payment is a bank debit, which ends later; otherwise a card, which is charged at once.

    Returns:
        The payment intent.
    """
    common = {
        "amount": session["amount_total"],
        "created": sandbox.store.now(),
        "currency": session["currency"],
        "livemode": False,
        "metadata": dict(metadata),
    }
    method = "sepa_debit" if delayed else "card"
    intent: Body = {
        **common,
        "id": new_id("pi"),
        "object": INTENT,
        "amount_received": 0 if delayed else session["amount_total"],
        "last_payment_error": None,
        "latest_charge": new_id("ch"),
        "payment_method_types": [method],
        "status": "processing" if delayed else "succeeded",
    }
    charge: Body = {
        **common,
        "id": intent["latest_charge"],
        "object": CHARGE,
        "amount_captured": session["amount_total"],
        "amount_refunded": 0,
        "billing_details": {name: session["customer_details"][name] for name in ("address", "email", "name")},
        "captured": True,
        "disputed": False,
        "failure_code": None,
        "failure_message": None,
        "paid": not delayed,
        "payment_intent": intent["id"],
        "payment_method_details": {"type": method},
        "refunded": False,
        "status": "pending" if delayed else "succeeded",
    }
    _save(sandbox, intent, charge)
    sandbox.events.record("charge.pending" if delayed else "charge.succeeded", charge)
    sandbox.events.record("payment_intent.processing" if delayed else "payment_intent.succeeded", intent)
    return intent


def settle(sandbox: Sandbox, intent_id: str, *, succeeds: bool) -> None:
    """End a bank debit.

    Raises:
        SandboxError: the payment has ended already.
    """
    intent = sandbox.store.get(INTENT, intent_id).body
    if intent["status"] != "processing":
        raise SandboxError(f"This payment is not processing: its status is {intent['status']}.")
    charge = sandbox.store.get(CHARGE, intent["latest_charge"]).body
    changes: dict[str, Any]
    if succeeds:
        intent.update(status="succeeded", amount_received=intent["amount"])
        changes = {"status": "succeeded", "paid": True}
    else:
        intent.update(status="requires_payment_method", last_payment_error={**_FAILED, "charge": charge["id"]})
        failure = {"failure_code": _FAILED["code"], "failure_message": _FAILED["message"]}
        changes = {"status": "failed", "amount_captured": 0, "captured": False, **failure}
    charge.update(changes)
    _save(sandbox, intent, charge)
    sandbox.events.record("charge.succeeded" if succeeds else "charge.failed", charge)
    sandbox.events.record("payment_intent.succeeded" if succeeds else "payment_intent.payment_failed", intent)


def charge_of(sandbox: Sandbox, intent_id: str, param: str = "id") -> Body:
    """Find the charge of a payment intent.

    Args:
        sandbox: where it is.
        intent_id: of the payment intent.
        param: the parameter that holds this id, for the error.

    Raises:
        MissingResourceError: there is no such payment intent.
    """
    intent = sandbox.store.get(INTENT, intent_id, param).body
    return sandbox.store.get(CHARGE, intent["latest_charge"]).body


def _save(sandbox: Sandbox, intent: Body, charge: Body) -> None:
    sandbox.store.save(intent)
    sandbox.store.save(charge)
