"""Stripe by its own SDK, as `domain.payments.ports` defines a payment provider.

The API version is the SDK's. Events may have another version, because their content is not trusted: the state of what
they are about is read from Stripe.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import stripe
import structlog

from domain.money import Money
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
from integrations.settings import StripeSettings
from integrations.stripe.events import event_of, read_event, uuid_of

T = TypeVar("T")
_log = structlog.get_logger(__name__)

API_VERSION = "2026-10-28.endive"
SIGNATURE_TOLERANCE_S = 300
_CHECKOUT_LIFETIME = timedelta(hours=23)  # less than 24 h, for which Stripe keeps sessions and idempotency keys
_EXPANDED = ["payment_intent.latest_charge"]
_PAGE = 100
_RATE_LIMITED, _CONFLICT, _SERVER_ERROR = 429, 409, 500
_REFUND_STATES = {
    "succeeded": RefundState.SUCCEEDED,
    "pending": RefundState.PENDING,
    "requires_action": RefundState.PENDING,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}
# Status of a delayed payment that failed.
_FAILED_STATUSES = frozenset({"requires_payment_method", "canceled"})


class _InvalidEmailError(PaymentRefusedError):
    """Stripe refuses the mail address."""


class StripePayments:
    """See `domain.payments.ports.PaymentProvider`.

    Args:
        settings: must contain an API key.
    """

    def __init__(self, settings: StripeSettings) -> None:
        self._secret = settings.webhook_secret
        logging.getLogger("stripe").setLevel(logging.WARNING)  # lower levels log the responses of Stripe
        self._client = stripe.StripeClient(
            settings.api_key.get_secret_value(),
            stripe_version=API_VERSION,
            max_network_retries=settings.retries,
            http_client=stripe.RequestsClient(timeout=settings.timeout_s),
            **({"base_addresses": {"api": settings.api_base}} if settings.api_base else {}),  # type: ignore[arg-type]
        )

    def open_checkout(self, order: Order, email: str | None) -> Checkout:
        """See `PaymentProvider`."""
        ours = {"order_id": str(order.id)}
        params: dict[str, Any] = {
            "mode": "payment",
            "client_reference_id": str(order.id),
            "metadata": ours,
            "payment_intent_data": {"metadata": ours},
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.price.currency.lower(),
                        "unit_amount": order.price.amount,
                        "product_data": {"name": order.plan_name},
                    },
                }
            ],
            "success_url": order.success_url,
            "cancel_url": order.cancel_url,
            "billing_address_collection": "auto",
            "expires_at": int((order.created_at + _CHECKOUT_LIFETIME).timestamp()),
        }
        key = f"order-{order.id}"
        if email:
            try:
                return self._create_session(params | {"customer_email": email}, key)
            except _InvalidEmailError:
                key += "-without-address"  # Stripe's page asks for it; each request has its own key
        return self._create_session(params, key)

    def _create_session(self, params: dict[str, Any], key: str) -> Checkout:
        options: Any = {"idempotency_key": key}
        return _checkout(_call(lambda: self._client.v1.checkout.sessions.create(params, options)))  # type: ignore[arg-type]

    def checkout(self, session_id: str) -> Checkout:
        """See `PaymentProvider`."""
        return _checkout(_call(lambda: self._client.v1.checkout.sessions.retrieve(session_id, {"expand": _EXPANDED})))

    def close_checkout(self, session_id: str) -> Checkout:
        """See `PaymentProvider`."""
        try:
            return _checkout(_call(lambda: self._client.v1.checkout.sessions.expire(session_id, {"expand": _EXPANDED})))
        except PaymentRefusedError:
            return self.checkout(session_id)  # not open any more: paid, in progress, or expired

    def order_of(self, payment_intent_id: str) -> UUID | None:
        """See `PaymentProvider`."""
        try:
            intent = _call(lambda: self._client.v1.payment_intents.retrieve(payment_intent_id))
        except PaymentRefusedError:
            return None
        return _order_id(intent)

    def refund(self, order: Order, amount: int, refund_id: UUID) -> ProvidedRefund:
        """See `PaymentProvider`."""
        params: Any = {
            "payment_intent": order.payment_intent_id or "",
            "amount": amount,
            "metadata": {"order_id": str(order.id), "refund_id": str(refund_id)},
        }
        options: Any = {"idempotency_key": f"refund-{refund_id}"}
        return _refund(_call(lambda: self._client.v1.refunds.create(params, options)))

    def refunds_of(self, payment_intent_id: str) -> list[ProvidedRefund]:
        """See `PaymentProvider`."""
        params: Any = {"payment_intent": payment_intent_id, "limit": _PAGE}
        found = _call(lambda: list(self._client.v1.refunds.list(params).auto_paging_iter()))
        return sorted(map(_refund, found), key=lambda refund: (refund.created_at, refund.provider_id))

    def disputes_of(self, payment_intent_id: str) -> list[ProvidedDispute]:
        """See `PaymentProvider`."""
        params: Any = {"payment_intent": payment_intent_id, "limit": _PAGE}
        found = _call(lambda: list(self._client.v1.disputes.list(params).auto_paging_iter()))
        return sorted(map(_dispute, found), key=lambda dispute: (dispute.created_at, dispute.provider_id))

    def happened(self, payload: bytes, signature: str) -> ProviderEvent:
        """See `PaymentProvider`."""
        secret = self._secret.get_secret_value()
        try:
            stripe.WebhookSignature.verify_header(payload, signature, secret, SIGNATURE_TOLERANCE_S)
        except stripe.SignatureVerificationError:
            # The text of the SDK contains instructions for developers.
            reason = f"the signature is missing, invalid, or older than {SIGNATURE_TOLERANCE_S} s"
            raise BadSignatureError(reason) from None
        return read_event(payload)

    def happened_since(self, moment: datetime) -> list[ProviderEvent]:
        """See `PaymentProvider`."""
        params: Any = {"created": {"gte": int(moment.timestamp())}, "limit": _PAGE}
        found = _call(lambda: list(self._client.v1.events.list(params).auto_paging_iter()))
        return list(_readable(event.to_dict() for event in reversed(found)))

    def checkouts_since(self, moment: datetime) -> list[Checkout]:
        """See `PaymentProvider`."""
        params: Any = {"created": {"gte": int(moment.timestamp())}, "limit": _PAGE}
        found = _call(lambda: list(self._client.v1.checkout.sessions.list(params).auto_paging_iter()))
        return [_checkout(session) for session in found]


def _readable(events: Iterable[dict[str, Any]]) -> Iterator[ProviderEvent]:
    for event in events:
        try:
            yield event_of(event)
        except ValueError as error:  # it must not block the other events
            _log.warning("stripe_event_unreadable", event_id=str(event.get("id"))[:64], reason=str(error))


def _call(call: Callable[[], T]) -> T:
    try:
        return call()
    except stripe.StripeError as error:
        status = error.http_status
        if status is None or status >= _SERVER_ERROR or status in {_RATE_LIMITED, _CONFLICT}:
            raise PaymentsUnavailableError(f"Service unavailable: Stripe ({type(error).__name__}, {status})") from None
        if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
            # An operator must fix this; orders stay open. The text of Stripe contains a part of the key.
            raise PaymentsUnavailableError("Service unavailable: Stripe refuses the API key") from None
        parameter = getattr(error, "param", None)
        kind = _InvalidEmailError if parameter == "customer_email" else PaymentRefusedError
        raise kind(error.user_message or type(error).__name__) from None


def _checkout(session: Any) -> Checkout:  # noqa: ANN401 - the fields of Stripe's objects are read one by one
    intent, charge = _expanded(session.payment_intent), None
    if intent is not None:
        charge = _expanded(getattr(intent, "latest_charge", None))
    is_pending = session.status == "complete" and session.payment_status == "unpaid"
    failed = is_pending and intent is not None and intent.status in _FAILED_STATUSES
    return Checkout(
        session_id=session.id,
        order_id=uuid_of(session.client_reference_id),
        price=Money(session.amount_total or 0, (session.currency or "").upper()),
        url=session.url,
        expires_at=_moment(session.expires_at) if session.expires_at else None,
        is_paid=session.payment_status != "unpaid" and session.status == "complete",
        is_over=session.status == "expired",
        on_its_way=is_pending and not failed,
        has_failed=failed,
        payment_intent_id=_id(session.payment_intent),
        charge_id=_id(getattr(intent, "latest_charge", None)) if intent is not None else None,
        was_refunded=charge is not None and (charge.amount_refunded or 0) > 0,
        was_disputed=charge is not None and bool(charge.disputed),
        buyer=_buyer(session.customer_details),
    )


def _buyer(details: Any) -> Buyer:  # noqa: ANN401 - as above
    if details is None:
        return Buyer()
    address = getattr(details, "address", None)
    names = ("line1", "line2", "postal_code", "city", "state", "country")
    lines = [getattr(address, name, None) for name in names] if address is not None else []
    return Buyer(
        getattr(details, "name", None) or "",
        getattr(details, "email", None) or "",
        ", ".join(str(line) for line in lines if line),
    )


def _refund(refund: Any) -> ProvidedRefund:  # noqa: ANN401 - as above
    ours = _metadata(refund).get("refund_id")
    state = _REFUND_STATES.get(refund.status or "", RefundState.PENDING)
    return ProvidedRefund(refund.id, refund.amount, state, uuid_of(ours), _moment(refund.created))


def _dispute(dispute: Any) -> ProvidedDispute:  # noqa: ANN401 - as above
    won = {"won": True, "warning_closed": True, "prevented": True, "lost": False}.get(dispute.status)
    inquiry = str(dispute.status).startswith("warning_")
    return ProvidedDispute(dispute.id, dispute.amount, won, inquiry, _moment(dispute.created))


def _order_id(about: Any) -> UUID | None:  # noqa: ANN401 - as above
    return uuid_of(_metadata(about).get("order_id"))


def _metadata(about: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    metadata: Any = getattr(about, "metadata", None)
    if metadata is None:
        return {}
    found: dict[str, Any] = metadata.to_dict() if hasattr(metadata, "to_dict") else dict(metadata)
    return found


def _expanded(value: Any) -> Any:  # noqa: ANN401 - as above
    return None if value is None or isinstance(value, str) else value


def _id(value: Any) -> str | None:  # noqa: ANN401 - as above
    if value is None or isinstance(value, str):
        return value
    found: str = value.id
    return found


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
