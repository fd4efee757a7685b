"""A payment provider in memory, which tests make pay, fail, be away, and forget."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec

from domain.clock import Clock
from domain.payments.model import Order, RefundState
from domain.payments.ports import (
    BadSignatureError,
    Buyer,
    Checkout,
    PaymentRefusedError,
    PaymentsUnavailableError,
    ProvidedDispute,
    ProvidedRefund,
    ProviderEvent,
)


class FakePaymentProvider:
    """See `domain.payments.ports.PaymentProvider`. Safe to be asked by many threads."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.pages: dict[str, Checkout] = {}
        self.addresses: dict[UUID, str | None] = {}  # of the buyers, by order
        self.refunds: dict[str, list[ProvidedRefund]] = {}
        self.disputes: dict[str, list[ProvidedDispute]] = {}
        self.events: list[ProviderEvent] = []
        self.calls: Counter[str] = Counter()
        self.away: Callable[[str], bool] = lambda _call: False
        self.loses_answer: Callable[[str], bool] = lambda _call: False
        self.refuses = False
        self._keys: dict[str, str] = {}
        self._lock = threading.Lock()

    def open_checkout(self, order: Order, email: str | None) -> Checkout:
        self._called("open_checkout")
        self.addresses[order.id] = email
        if self.refuses:
            raise PaymentRefusedError("no such account")
        with self._lock:
            known = self._keys.setdefault(f"order-{order.id}", f"cs_{uuid4().hex}")
            page = self.pages.setdefault(
                known,
                Checkout(known, order.id, order.price, f"https://pay.test/{known}", self.clock() + timedelta(hours=23)),
            )
        self._answered("open_checkout")
        return page

    def checkout(self, session_id: str) -> Checkout:
        self._called("checkout")
        if session_id not in self.pages:
            raise PaymentRefusedError("no such session")
        return self.pages[session_id]

    def close_checkout(self, session_id: str) -> Checkout:
        self._called("close_checkout")
        page = self.pages[session_id]
        if not (page.is_paid or page.on_its_way or page.has_failed or page.is_over):
            self.expire(session_id)
        return self.pages[session_id]

    def order_of(self, payment_intent_id: str) -> UUID | None:
        self._called("order_of")
        return next(
            (page.order_id for page in self.pages.values() if page.payment_intent_id == payment_intent_id), None
        )

    def refund(self, order: Order, amount: int, refund_id: UUID) -> ProvidedRefund:
        self._called("refund")
        if self.refuses:
            raise PaymentRefusedError("the charge has been refunded")
        intent = order.payment_intent_id or ""
        with self._lock:
            known = [each for each in self.refunds.get(intent, []) if each.ours == refund_id]
            made = known[0] if known else self._refunded(intent, amount, refund_id)
        self._answered("refund")
        return made

    def refunds_of(self, payment_intent_id: str) -> list[ProvidedRefund]:
        self._called("refunds_of")
        return list(self.refunds.get(payment_intent_id, []))

    def disputes_of(self, payment_intent_id: str) -> list[ProvidedDispute]:
        self._called("disputes_of")
        return list(self.disputes.get(payment_intent_id, []))

    def happened(self, payload: bytes, signature: str) -> ProviderEvent:
        if signature != "signed":
            raise BadSignatureError("the signature does not fit")
        return msgspec.json.decode(payload, type=ProviderEvent)

    def happened_since(self, moment: datetime) -> list[ProviderEvent]:
        self._called("happened_since")
        return [event for event in self.events if event.created_at >= moment]

    def checkouts_since(self, moment: datetime) -> list[Checkout]:  # noqa: ARG002 - as above
        self._called("checkouts_since")
        return list(self.pages.values())

    # What tests let happen.

    def pay(self, session_id: str, *, later: bool = False, buyer: Buyer | None = None) -> ProviderEvent:
        page = self.pages[session_id]
        self._change(
            session_id,
            is_paid=not later,
            on_its_way=later,
            url=None,
            payment_intent_id=page.payment_intent_id or f"pi_{uuid4().hex}",
            charge_id=None if later else f"ch_{uuid4().hex}",
            buyer=buyer or Buyer("Mia Moll", "mia@example.org", "Way 3, 50667 Cologne"),
        )
        return self._tell("checkout.session.completed", session_id)

    def finish(self, session_id: str, *, succeeds: bool) -> ProviderEvent:
        self._change(session_id, is_paid=succeeds, has_failed=not succeeds, on_its_way=False, charge_id="ch_1")
        word = "succeeded" if succeeds else "failed"
        return self._tell(f"checkout.session.async_payment_{word}", session_id)

    def expire(self, session_id: str) -> ProviderEvent:
        self._change(session_id, is_over=True, url=None)
        return self._tell("checkout.session.expired", session_id)

    def give_back(self, session_id: str, amount: int) -> ProviderEvent:
        intent = self.pages[session_id].payment_intent_id or ""
        self._refunded(intent, amount, None)
        return self._tell("charge.refunded", session_id, names_order=False)

    def refund_fails(self, session_id: str) -> ProviderEvent:
        intent = self.pages[session_id].payment_intent_id or ""
        self.refunds[intent] = [replace(each, state=RefundState.FAILED) for each in self.refunds[intent]]
        self._change(session_id, was_refunded=False)
        return self._tell("refund.failed", session_id, names_order=False)

    def dispute(self, session_id: str, *, inquiry: bool = False) -> ProviderEvent:
        page = self.pages[session_id]
        dispute = ProvidedDispute(f"dp_{uuid4().hex}", page.price.amount, None, inquiry, self.clock())
        self.disputes.setdefault(page.payment_intent_id or "", []).append(dispute)
        self._change(session_id, was_disputed=True)
        return self._tell("charge.dispute.created", session_id, names_order=False)

    def close_dispute(self, session_id: str, *, won: bool) -> ProviderEvent:
        intent = self.pages[session_id].payment_intent_id or ""
        self.disputes[intent] = [replace(each, is_won=won) for each in self.disputes[intent]]
        return self._tell("charge.dispute.closed", session_id, names_order=False)

    def _refunded(self, intent: str, amount: int, ours: UUID | None) -> ProvidedRefund:
        made = ProvidedRefund(f"re_{uuid4().hex}", amount, RefundState.SUCCEEDED, ours, self.clock())
        self.refunds.setdefault(intent, []).append(made)
        for session_id, page in self.pages.items():
            if page.payment_intent_id == intent:
                self._change(session_id, was_refunded=True)
        return made

    def _change(self, session_id: str, **values: object) -> None:
        self.pages[session_id] = replace(self.pages[session_id], **values)  # type: ignore[arg-type]

    def _tell(self, kind: str, session_id: str, *, names_order: bool = True) -> ProviderEvent:
        page = self.pages[session_id]
        event = ProviderEvent(
            id=f"evt_{uuid4().hex}",
            type=kind,
            api_version="2026-10-28.endive",
            object_id=session_id,
            order_id=page.order_id if names_order else None,
            payment_intent_id=page.payment_intent_id,
            session_id=session_id if names_order else None,
            created_at=self.clock(),
        )
        self.events.append(event)
        return event

    def _called(self, call: str) -> None:
        self.calls[call] += 1
        if self.away(call):
            raise PaymentsUnavailableError(f"{call}: away, says the test")

    def _answered(self, call: str) -> None:
        if self.loses_answer(call):
            raise PaymentsUnavailableError(f"{call}: the answer was lost, says the test")


def sent(event: ProviderEvent) -> bytes:
    """An event as it is sent to the webhook, to be signed with `signed`."""
    return msgspec.json.encode(event)
