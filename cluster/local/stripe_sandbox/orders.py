"""What a new Checkout Session is asked to sell: the parameters of its call, checked as Stripe checks them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cluster.local.stripe_sandbox.currencies import check_currency, check_divisible, check_total
from cluster.local.stripe_sandbox.errors import InvalidParameterError
from cluster.local.stripe_sandbox.parameters import Parameters
from domain.currencies import LARGEST_AMOUNT

_LEAST_OPEN_S, _MOST_OPEN_S = 30 * 60, 24 * 3600
_LOCALE = re.compile(r"auto|[a-z]{2,3}(-[A-Z0-9]{2,3})?")
_MOST_LINES, _MOST_OF_ONE = 100, 999_999
_METHODS = frozenset({"card", "sepa_debit"})
_SUBMITS = frozenset({"auto", "book", "donate", "pay", "subscribe"})


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is sold. `unit_amount` is in minor units."""

    name: str
    description: str | None
    currency: str
    unit_amount: int
    quantity: int
    metadata: Mapping[str, str]

    @property
    def total(self) -> int:
        """Its price, in minor units."""
        return self.unit_amount * self.quantity


@dataclass(frozen=True, slots=True)
class Order:
    """All that a session is made of."""

    lines: Sequence[Line]
    success_url: str
    cancel_url: str | None
    expires_at: int
    client_reference_id: str | None
    customer_email: str | None
    metadata: Mapping[str, str]
    intent_metadata: Mapping[str, str]
    intent_description: str | None
    billing_address_collection: str | None
    locale: str | None
    submit_type: str | None
    method_types: Sequence[str]

    @property
    def currency(self) -> str:
        """Of all its lines."""
        return self.lines[0].currency

    @property
    def total(self) -> int:
        """Its price, in minor units."""
        return sum(line.total for line in self.lines)


def read_order(sent: Parameters, now: int) -> Order:
    """Read and check the parameters of a new session.

    Args:
        sent: the call's.
        now: seconds since the epoch.

    Raises:
        InvalidParameterError: one is wrong, missing or unknown.
        SandboxError: what they add up to cannot be charged.
    """
    for name in ("mode", "line_items", "success_url"):
        sent.need(name)
    sent.choice("mode", {"payment"})
    lines = [_line(row) for row in sent.rows("line_items")]
    if not 0 < len(lines) <= _MOST_LINES:
        raise InvalidParameterError(f"A session has from 1 to {_MOST_LINES} line items.", "line_items")
    if len({line.currency for line in lines}) > 1:
        raise InvalidParameterError("All line items must have the same currency.", "line_items")
    intent = sent.level("payment_intent_data")
    intent_metadata, intent_description = intent.metadata(), intent.text("description", 1000)
    intent.done()
    order = Order(
        lines=lines,
        success_url=sent.url("success_url") or "",
        cancel_url=sent.url("cancel_url"),
        expires_at=_expires_at(sent, now),
        client_reference_id=sent.text("client_reference_id", 200),
        customer_email=sent.email("customer_email"),
        metadata=sent.metadata(),
        intent_metadata=intent_metadata,
        intent_description=intent_description,
        billing_address_collection=sent.choice("billing_address_collection", {"auto", "required"}),
        locale=_locale(sent),
        submit_type=sent.choice("submit_type", _SUBMITS),
        method_types=_methods(sent),
    )
    sent.done()
    check_total(order.total, order.currency)
    return order


def _line(row: Parameters) -> Line:
    row.need("price_data")
    row.need("quantity")
    price = row.level("price_data")
    for name in ("currency", "unit_amount", "product_data"):
        price.need(name)
    product = price.level("product_data")
    product.need("name")
    currency = check_currency(price.text("currency") or "", price.named("currency"))
    amount = price.integer("unit_amount", 0, LARGEST_AMOUNT) or 0
    check_divisible(amount, currency, price.named("unit_amount"))
    line = Line(
        name=product.text("name", 250) or "",
        description=product.text("description"),
        currency=currency,
        unit_amount=amount,
        quantity=row.integer("quantity", 1, _MOST_OF_ONE) or 0,
        metadata=product.metadata(),
    )
    for level in (product, price, row):
        level.done()
    return line


def _expires_at(sent: Parameters, now: int) -> int:
    expires_at = sent.integer("expires_at", 0)
    if expires_at is None:
        return now + _MOST_OPEN_S
    if expires_at < now + _LEAST_OPEN_S:
        message = "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation."
        raise InvalidParameterError(message, "expires_at")
    if expires_at > now + _MOST_OPEN_S:
        message = "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation."
        raise InvalidParameterError(message, "expires_at")
    return expires_at


def _locale(sent: Parameters) -> str | None:
    locale = sent.text("locale")
    if locale is not None and not _LOCALE.fullmatch(locale):
        raise InvalidParameterError("Invalid locale", "locale")
    return locale


def _methods(sent: Parameters) -> Sequence[str]:
    methods = sent.texts("payment_method_types")
    if not _METHODS.issuperset(methods):
        message = f"Invalid payment_method_types: the sandbox has {', '.join(sorted(_METHODS))}"
        raise InvalidParameterError(message, "payment_method_types")
    return methods or ["card"]
