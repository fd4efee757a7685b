"""The port of the payment provider. `integrations.stripe.provider` implements it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.errors import UnavailableError
from domain.money import Money
from domain.payments.model import Order, RefundState


class PaymentsUnavailableError(UnavailableError):
    """The provider does not answer, is overloaded, or fails. It is safe to call it again."""


class PaymentRefusedError(Exception):
    """The provider refuses the call, and would refuse it again. The message has no secrets."""


class BadSignatureError(Exception):
    """An event was not signed with the webhook secret, or too long ago."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """The buyer as the invoice names them."""

    name: str = ""
    email: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout page.

    Args:
        is_paid: the money has arrived, or nothing was due.
        is_over: expired without a payment.
        on_its_way: paid by a method that takes days.
        has_failed: a payment that takes days has failed.
        was_refunded, was_disputed: the provider has refunds or disputes to read.
    """

    session_id: str
    order_id: UUID | None
    price: Money
    url: str | None
    expires_at: datetime | None
    is_paid: bool = False
    is_over: bool = False
    on_its_way: bool = False
    has_failed: bool = False
    payment_intent_id: str | None = None
    charge_id: str | None = None
    was_refunded: bool = False
    was_disputed: bool = False
    buyer: Buyer = Buyer()


@dataclass(frozen=True, slots=True)
class ProvidedRefund:
    """A refund at the provider. `ours`: the id of our refund; None if it was made at the provider."""

    provider_id: str
    amount: int
    state: RefundState
    ours: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ProvidedDispute:
    """A dispute at the provider.

    Args:
        is_won: None while the dispute is open.
        is_inquiry: a question of the bank, which takes no money.
    """

    provider_id: str
    amount: int
    is_won: bool | None
    is_inquiry: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """An event of the provider: which object it is about. The rest of an event is not used."""

    id: str
    type: str
    api_version: str | None
    object_id: str | None
    order_id: UUID | None
    payment_intent_id: str | None
    session_id: str | None
    created_at: datetime


class PaymentProvider(Protocol):
    """Every method raises `PaymentsUnavailableError`, and `PaymentRefusedError` unless it says otherwise."""

    def open_checkout(self, order: Order, email: str | None) -> Checkout:
        """Open the checkout page of an order; the same order always has the same page.

        Args:
            email: of the buyer; None: the page asks for it.
        """

    def checkout(self, session_id: str) -> Checkout:
        """Read a checkout page."""

    def close_checkout(self, session_id: str) -> Checkout:
        """Expire a checkout page. Returns the page, which may have been paid before."""

    def order_of(self, payment_intent_id: str) -> UUID | None:
        """The order of a payment; None: no order of this system."""

    def refund(self, order: Order, amount: int, refund_id: UUID) -> ProvidedRefund:
        """Refund an amount. Idempotent for the same refund id."""

    def refunds_of(self, payment_intent_id: str) -> list[ProvidedRefund]:
        """All refunds of a payment, oldest first."""

    def disputes_of(self, payment_intent_id: str) -> list[ProvidedDispute]:
        """All disputes of a payment, oldest first."""

    def happened(self, payload: bytes, signature: str) -> ProviderEvent:
        """Verify and decode an event.

        Raises:
            BadSignatureError: it was not signed with the webhook secret.
            ValueError: it is not an event.
        """

    def happened_since(self, moment: datetime) -> list[ProviderEvent]:
        """The relevant events since a moment, oldest first. The provider keeps events for 30 days."""

    def checkouts_since(self, moment: datetime) -> list[Checkout]:
        """All checkout pages created since a moment."""
