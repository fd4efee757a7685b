"""Refunds: money given back, never more than was taken."""

from cluster.local.stripe_sandbox.currencies import check_divisible, shown
from cluster.local.stripe_sandbox.disputes import Disputes
from cluster.local.stripe_sandbox.errors import InvalidParameterError, MissingResourceError, SandboxError
from cluster.local.stripe_sandbox.events import Events
from cluster.local.stripe_sandbox.ids import new_id
from cluster.local.stripe_sandbox.parameters import Parameters
from cluster.local.stripe_sandbox.payments import CHARGE, Payments
from cluster.local.stripe_sandbox.store import Body, Store
from cluster.local.stripe_sandbox.switches import Panel

REFUND = "refund"
_REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer"})


class Refunds:
    """Gives money back.

    Args:
        store: where refunds are kept.
        events: what happens to them.
        payments: what was paid.
        disputes: what was taken back by a bank, and cannot be given back too.
        panel: decides whether a refund succeeds at once.
    """

    def __init__(self, store: Store, events: Events, payments: Payments, disputes: Disputes, panel: Panel) -> None:
        self._store = store
        self._events = events
        self._payments = payments
        self._disputes = disputes
        self._panel = panel

    def create(self, sent: Parameters) -> Body:
        """Give back a payment, or a part of it.

        Raises:
            SandboxError: the parameters are wrong, or there is not so much left.
        """
        intent_id, charge_id = sent.text("payment_intent"), sent.text("charge")
        amount, reason = sent.integer("amount", 1), sent.choice("reason", _REASONS)
        metadata = sent.metadata()
        sent.done()
        if intent_id is None and charge_id is None:
            message = "One of the following params should be provided for this request: payment_intent or charge."
            raise SandboxError(message, code="parameter_missing", began=False)
        charge = self._charge_of(intent_id, charge_id)
        left = self._left_of(charge)
        whole = left if amount is None else amount
        check_divisible(whole, charge["currency"], "amount")
        if whole > left:
            currency = charge["currency"]
            message = (
                f"Refund amount ({shown(whole, currency)}) is greater than unrefunded amount on charge"
                f" ({shown(left, currency)})"
            )
            raise SandboxError(message, param="amount")
        return self._refund(charge, whole, reason, dict(metadata))

    def find(self, refund_id: str) -> Body:
        """A refund by its id.

        Raises:
            MissingResourceError: there is none.
        """
        kept = self._store.find(refund_id, REFUND)
        if kept is None:
            raise MissingResourceError(REFUND, refund_id, "id")
        return kept.body

    def settle(self, refund_id: str, *, arrives: bool) -> Body:
        """Let a pending refund arrive, or let one fail: banks send money back even after it seemed to have arrived.

        Raises:
            SandboxError: it has ended otherwise.
        """
        refund = self.find(refund_id)
        status = refund["status"]
        if status not in ({"pending"} if arrives else {"pending", "succeeded"}):
            raise SandboxError(f"This refund is {status}.")
        refund["status"] = "succeeded" if arrives else "failed"
        if not arrives:
            refund["failure_reason"] = "lost_or_stolen_card"
            charge = self._payments.charge(refund["charge"]).body
            charge["amount_refunded"] -= refund["amount"]
            charge["refunded"] = False
            self._store.save(charge)
        self._store.save(refund)
        self._events.tell("refund.updated", refund, {"status": status})
        if not arrives:
            self._events.tell("refund.failed", refund)
        return refund

    def _charge_of(self, intent_id: str | None, charge_id: str | None) -> Body:
        charge = None if charge_id is None else self._payments.charge(charge_id, "charge").body
        if intent_id is not None:
            latest = self._payments.intent(intent_id, "payment_intent").body["latest_charge"]
            if charge is not None and charge["payment_intent"] != intent_id:
                raise InvalidParameterError("The charge is not of this payment intent.", "charge")
            charge = charge or self._payments.charge(latest).body
        if charge is None or charge["object"] != CHARGE or not charge["paid"]:
            what = f"PaymentIntent ({intent_id})" if intent_id else f"charge ({charge_id})"
            raise SandboxError(f"This {what} does not have a successful charge to refund.", param="payment_intent")
        return charge

    def _refund(self, charge: Body, amount: int, reason: str | None, metadata: dict[str, str]) -> Body:
        refund: Body = {
            "id": new_id("re"),
            "object": REFUND,
            "amount": amount,
            "balance_transaction": None,
            "charge": charge["id"],
            "created": self._store.now(),
            "currency": charge["currency"],
            "destination_details": {"type": charge["payment_method_details"]["type"]},
            "metadata": metadata,
            "payment_intent": charge["payment_intent"],
            "reason": reason,
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": self._panel.switches.refunds,
            "transfer_reversal": None,
        }
        before = {"amount_refunded": charge["amount_refunded"]}
        charge["amount_refunded"] += amount
        if charge["amount_refunded"] == charge["amount_captured"]:
            charge["refunded"] = True
            before["refunded"] = False
        self._store.save(refund)
        self._store.save(charge)
        self._events.tell("refund.created", refund)
        self._events.tell("charge.refunded", charge, before)
        return refund

    def _left_of(self, charge: Body) -> int:
        if charge["refunded"]:
            message = f"Charge {charge['id']} has already been refunded."
            raise SandboxError(message, code="charge_already_refunded")
        if not all(dispute["is_charge_refundable"] for dispute in self._disputes.of_charge(charge["id"])):
            message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
            raise SandboxError(message, code="charge_disputed")
        return int(charge["amount_captured"] - charge["amount_refunded"])
