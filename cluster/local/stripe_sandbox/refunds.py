"""Refunds: money that is given back, never more than was paid."""

from cluster.local.stripe_sandbox import disputes
from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.parameters import NewRefund, RefundAmount
from cluster.local.stripe_sandbox.payments import CHARGE, charge_of
from cluster.local.stripe_sandbox.sandbox import Sandbox
from cluster.local.stripe_sandbox.store import Body, new_id
from domain.currencies import currency_of
from domain.money import Money

REFUND = "refund"


def create(sandbox: Sandbox, _: str, sent: NewRefund) -> Body:
    """Refund a payment, or a part of it.

    Raises:
        SandboxError: there is no payment to refund, or less is left than the amount.
    """
    charge = charge_of(sandbox, sent.payment_intent, "payment_intent")
    if not charge["paid"]:
        message = f"This PaymentIntent ({sent.payment_intent}) does not have a successful charge to refund."
        raise SandboxError(message, param="payment_intent")
    if charge["refunded"]:
        raise SandboxError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if not all(dispute["is_charge_refundable"] for dispute in disputes.of_payment(sandbox, sent.payment_intent)):
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise SandboxError(message, code="charge_disputed")
    left, currency = charge["amount_captured"] - charge["amount_refunded"], charge["currency"].upper()
    amount = left if sent.amount is None else sent.amount
    if refusal := currency_of(currency).refuse_step(amount):
        raise SandboxError(f"Invalid amount: {refusal}", code="parameter_invalid_integer", param="amount")
    if amount > left:
        greater = f"Refund amount ({Money(amount, currency)}) is greater than unrefunded amount on charge"
        raise SandboxError(f"{greater} ({Money(left, currency)})", param="amount")
    refund: Body = {
        "id": new_id("re"),
        "object": REFUND,
        "amount": amount,
        "charge": charge["id"],
        "created": sandbox.store.now(),
        "currency": charge["currency"],
        "metadata": dict(sent.metadata),
        "payment_intent": charge["payment_intent"],
        "reason": None,
        "status": sandbox.panel.switches.refunds,
    }
    before = {"amount_refunded": charge["amount_refunded"]}
    charge["amount_refunded"] += amount
    if amount == left:
        charge["refunded"] = True
        before["refunded"] = False
    sandbox.store.save(refund)
    sandbox.store.save(charge)
    sandbox.events.record("refund.created", refund)
    sandbox.events.record("charge.refunded", charge, before)
    return refund


def refund_payment(sandbox: Sandbox, intent_id: str, sent: RefundAmount) -> Body:
    """Refund a payment as at Stripe's dashboard; raises as `create`."""
    return create(sandbox, "", NewRefund(payment_intent=intent_id, amount=sent.amount))


def settle(sandbox: Sandbox, refund_id: str, *, succeeds: bool) -> Body:
    """End a pending refund. A refund that has succeeded can still fail, as when a bank returns it.

    Raises:
        SandboxError: the refund has ended.
    """
    refund = sandbox.store.get(REFUND, refund_id).body
    before = refund["status"]
    if before not in ({"pending"} if succeeds else {"pending", "succeeded"}):
        raise SandboxError(f"The status of this refund is {before}.")
    refund["status"] = "succeeded" if succeeds else "failed"
    if not succeeds:
        refund["failure_reason"] = "lost_or_stolen_card"
        charge = sandbox.store.get(CHARGE, refund["charge"]).body
        charge.update(amount_refunded=charge["amount_refunded"] - refund["amount"], refunded=False)
        sandbox.store.save(charge)
    sandbox.store.save(refund)
    sandbox.events.record("refund.updated", refund, {"status": before})
    if not succeeds:
        sandbox.events.record("refund.failed", refund)
    return refund
