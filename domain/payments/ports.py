"""The payment provider as the domain sees it. `integrations.stripe.provider` translates Stripe's own words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.errors import UnavailableError
from domain.money import Money
from domain.payments.model import Order, RefundState


class PaymentsAwayError(UnavailableError):
    """The provider cannot be asked for now: it does not answer, is too busy, or fails. Asking again is safe."""


class PaymentRefusedError(Exception):
    """The provider refuses what was asked, and would again. Its words carry no secret."""


class BadSignatureError(Exception):
    """An event was not signed with our secret, or too long ago."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who paid, as they wrote it: for the invoice."""

    name: str = ""
    email: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A page to pay at.

    Args:
        is_paid: the money is there, or nothing was due.
        is_over: nobody can pay there any more, and nobody has.
        on_its_way: paid by a method that takes days, and not there yet.
        has_failed: it was on its way and did not arrive.
        was_refunded, was_disputed: there is more to ask for.
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
    """A refund as the provider has it. `ours`: the id that we gave it; None of one made at the provider."""

    provider_id: str
    amount: int
    state: RefundState
    ours: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ProvidedDispute:
    """A dispute as the provider has it.

    Args:
        is_won: None while it is open.
        is_inquiry: a question of the bank that has taken no money.
    """

    provider_id: str
    amount: int
    is_won: bool | None
    is_inquiry: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of the provider, as far as events are believed: what it is about, not what it says of it."""

    id: str
    type: str
    api_version: str | None
    object_id: str | None
    order_id: UUID | None
    payment_intent_id: str | None
    session_id: str | None
    created_at: datetime


class PaymentProvider(Protocol):
    """Every method raises `PaymentsAwayError`, and `PaymentRefusedError` unless it says otherwise."""

    def open_checkout(self, order: Order, email: str | None) -> Checkout:
        """A page to pay an order at; for the same order always the same page.

        Args:
            email: the buyer's; None: none, and the page asks for it.
        """

    def checkout(self, session_id: str) -> Checkout:
        """A page as it is now."""

    def close_checkout(self, session_id: str) -> Checkout:
        """Have a page take no payment any more; the page as it is then, which may have been paid before."""

    def order_of(self, payment_intent_id: str) -> UUID | None:
        """The order that a payment was made for; None: none of ours."""

    def refund(self, order: Order, amount: int, refund_id: UUID) -> ProvidedRefund:
        """Give money back; for the same refund id once."""

    def refunds_of(self, payment_intent_id: str) -> list[ProvidedRefund]:
        """All refunds of a payment, the oldest first."""

    def disputes_of(self, payment_intent_id: str) -> list[ProvidedDispute]:
        """All disputes of a payment, the oldest first."""

    def happened(self, payload: bytes, signature: str) -> Happened:
        """An event that was sent here.

        Raises:
            BadSignatureError: it was not signed with our secret.
            ValueError: it is no event.
        """

    def happened_since(self, moment: datetime) -> list[Happened]:
        """The events that concern us since then, the oldest first; the provider keeps them for 30 days."""

    def checkouts_since(self, moment: datetime) -> list[Checkout]:
        """All pages made since then."""
