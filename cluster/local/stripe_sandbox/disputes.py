"""Disputes: the buyer's bank takes the money back. In an inquiry it only asks."""

from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.parameters import DisputeEnd, NewDispute
from cluster.local.stripe_sandbox.payments import charge_of
from cluster.local.stripe_sandbox.sandbox import Sandbox
from cluster.local.stripe_sandbox.store import Body, new_id

DISPUTE = "dispute"
_NEEDS_RESPONSE, _INQUIRY = "needs_response", "warning_needs_response"
# How each kind of open dispute can end; the first is the default.
_ENDS = {_NEEDS_RESPONSE: ("won", "lost"), _INQUIRY: ("warning_closed",)}
_MAX_OF_ONE_PAYMENT = 100


def create(sandbox: Sandbox, intent_id: str, sent: NewDispute) -> Body:
    """Dispute a payment.

    Raises:
        SandboxError: the payment is not paid, refunded in full, or disputed already.
    """
    charge = charge_of(sandbox, intent_id)
    if not charge["paid"]:
        raise SandboxError("This payment has not succeeded, so it cannot be disputed.")
    if any(is_open(dispute) for dispute in of_payment(sandbox, intent_id)):
        raise SandboxError("This payment is being disputed.")
    if charge["refunded"]:
        raise SandboxError("This payment was refunded in full, so it cannot be disputed.")
    dispute: Body = {
        "id": new_id("dp"),
        "object": DISPUTE,
        "amount": charge["amount"] - charge["amount_refunded"],
        "charge": charge["id"],
        "created": sandbox.store.now(),
        "currency": charge["currency"],
        "is_charge_refundable": sent.inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": "fraudulent",
        "status": _INQUIRY if sent.inquiry else _NEEDS_RESPONSE,
    }
    charge["disputed"] = True
    sandbox.store.save(charge)
    sandbox.store.save(dispute)
    sandbox.events.record("charge.dispute.created", dispute)
    if not sent.inquiry:
        sandbox.events.record("charge.dispute.funds_withdrawn", dispute)
    return dispute


def escalate(sandbox: Sandbox, dispute_id: str) -> Body:
    """Turn an inquiry into a dispute.

    Raises:
        SandboxError: it is not an open inquiry.
    """
    dispute = sandbox.store.get(DISPUTE, dispute_id, "dispute").body
    if dispute["status"] != _INQUIRY:
        raise SandboxError(f"The status of this dispute is {dispute['status']}: only an open inquiry can be escalated.")
    dispute.update(status=_NEEDS_RESPONSE, is_charge_refundable=False)
    sandbox.store.save(dispute)
    sandbox.events.record("charge.dispute.updated", dispute, {"status": _INQUIRY})
    sandbox.events.record("charge.dispute.funds_withdrawn", dispute)
    return dispute


def close(sandbox: Sandbox, dispute_id: str, sent: DisputeEnd) -> Body:
    """Close a dispute (default: won) or an inquiry.

    Raises:
        SandboxError: it is closed, or cannot end with this status.
    """
    dispute = sandbox.store.get(DISPUTE, dispute_id, "dispute").body
    if not is_open(dispute):
        raise SandboxError(f"This dispute is closed: its status is {dispute['status']}.")
    ends = _ENDS[dispute["status"]]
    status = sent.status or ends[0]
    if status not in ends:
        raise SandboxError(f"Invalid status: must be one of {', '.join(ends)}", param="status")
    dispute.update(status=status, is_charge_refundable=status != "lost")
    sandbox.store.save(dispute)
    sandbox.events.record("charge.dispute.closed", dispute)
    if status == "won":
        sandbox.events.record("charge.dispute.funds_reinstated", dispute)
    return dispute


def is_open(dispute: Body) -> bool:
    """Return whether a dispute can still be closed."""
    return dispute["status"] in _ENDS


def of_payment(sandbox: Sandbox, intent_id: str) -> list[Body]:
    """List the disputes of a payment, newest first."""
    return sandbox.store.newest(DISPUTE, _MAX_OF_ONE_PAYMENT, payment_intent=intent_id)
