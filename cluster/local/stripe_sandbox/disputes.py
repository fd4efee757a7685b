"""Disputes: the buyer's bank takes money back, or only asks (an inquiry)."""

from cluster.local.stripe_sandbox.errors import MissingResourceError, SandboxError
from cluster.local.stripe_sandbox.events import Events
from cluster.local.stripe_sandbox.ids import new_id
from cluster.local.stripe_sandbox.payments import Payments
from cluster.local.stripe_sandbox.store import Body, Store

DISPUTE = "dispute"
NEEDS_RESPONSE, WARNING = "needs_response", "warning_needs_response"
_OPEN = frozenset({NEEDS_RESPONSE, WARNING})
# What an open one may be closed as.
_ENDS = {NEEDS_RESPONSE: ("won", "lost"), WARNING: ("warning_closed",)}
_RESPOND_WITHIN_S = 7 * 86_400


class Disputes:
    """Opens and closes disputes.

    Args:
        store: where they are kept.
        events: what happens to them.
        payments: what they are about.
    """

    def __init__(self, store: Store, events: Events, payments: Payments) -> None:
        self._store = store
        self._events = events
        self._payments = payments

    def open(self, intent_id: str, *, inquiry: bool = False) -> Body:
        """Dispute a payment.

        Args:
            intent_id: of the payment.
            inquiry: whether the bank only asks, and takes nothing.

        Raises:
            SandboxError: there is nothing to dispute, or it is being disputed.
        """
        charge = self._payments.charge(self._payments.intent(intent_id).body["latest_charge"]).body
        if not charge["paid"]:
            raise SandboxError("This payment has not arrived: there is nothing to dispute.")
        if any(dispute["status"] in _OPEN for dispute in self.of_charge(charge["id"])):
            raise SandboxError("This payment is being disputed.")
        if charge["refunded"]:
            raise SandboxError("This payment was given back: there is nothing to dispute.")
        dispute = _dispute(charge, WARNING if inquiry else NEEDS_RESPONSE, self._store.now())
        charge["disputed"] = True
        self._store.save(charge)
        self._store.save(dispute)
        self._events.tell("charge.dispute.created", dispute)
        if not inquiry:
            self._events.tell("charge.dispute.funds_withdrawn", dispute)
        return dispute

    def escalate(self, dispute_id: str) -> Body:
        """Let an inquiry become a dispute.

        Raises:
            SandboxError: it is no open inquiry.
        """
        dispute = self.find(dispute_id)
        if dispute["status"] != WARNING:
            raise SandboxError(f"This dispute is {dispute['status']}: only an open inquiry escalates.")
        dispute.update(status=NEEDS_RESPONSE, is_charge_refundable=False)
        self._store.save(dispute)
        self._events.tell("charge.dispute.updated", dispute, {"status": WARNING})
        self._events.tell("charge.dispute.funds_withdrawn", dispute)
        return dispute

    def close(self, dispute_id: str, status: str | None = None) -> Body:
        """End a dispute.

        Args:
            dispute_id: of an open one.
            status: `won` or `lost`; `warning_closed` of an inquiry. The first of them by itself.

        Raises:
            SandboxError: it has ended, or ends otherwise.
        """
        dispute = self.find(dispute_id)
        ends = _ENDS.get(dispute["status"])
        if ends is None:
            raise SandboxError(f"This dispute has been closed: it is {dispute['status']}.")
        status = status or ends[0]
        if status not in ends:
            raise SandboxError(f"Invalid status: must be one of {', '.join(ends)}", param="status")
        dispute.update(status=status, is_charge_refundable=status != "lost")
        self._store.save(dispute)
        self._events.tell("charge.dispute.closed", dispute)
        if status == "won":
            self._events.tell("charge.dispute.funds_reinstated", dispute)
        return dispute

    def find(self, dispute_id: str) -> Body:
        """A dispute by its id.

        Raises:
            MissingResourceError: there is none.
        """
        kept = self._store.find(dispute_id, DISPUTE)
        if kept is None:
            raise MissingResourceError(DISPUTE, dispute_id, "dispute")
        return kept.body

    def of_charge(self, charge_id: str) -> list[Body]:
        """All disputes of a charge, the oldest first."""
        rows = self._store.run(
            "SELECT id FROM objects WHERE charge = ? AND object = ? ORDER BY seq", (charge_id, DISPUTE)
        )
        return [self.find(str(row[0])) for row in rows]


def _dispute(charge: Body, status: str, now: int) -> Body:
    refundable = status == WARNING
    return {
        "id": new_id("dp"),
        "object": DISPUTE,
        "amount": charge["amount"] - charge["amount_refunded"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": now + _RESPOND_WITHIN_S,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": refundable,
        "livemode": False,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": "visa",
                "case_type": "inquiry" if refundable else "chargeback",
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": "fraudulent",
        "status": status,
    }
