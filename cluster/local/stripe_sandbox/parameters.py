"""The parameters of each call, as Pydantic models.

A model has only the parameters that FIT Monitor sends. Every other parameter is refused as unknown, as Stripe does.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from cluster.local.stripe_sandbox.errors import SandboxError
from domain.currencies import CURRENCIES, refuse_price

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_EMAIL = re.compile(r"[^@\s<>]{1,64}@[^@\s<>]+\.[^@\s<>.]+")
_REFUSALS = {
    "extra_forbidden": ("Received unknown parameter: {}", "parameter_unknown"),
    "missing": ("Missing required param: {}.", "parameter_missing"),
}


class Parameters(BaseModel):
    """One group of parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_P = TypeVar("_P", bound=Parameters)


def read(kind: type[_P], sent: Mapping[str, Any]) -> _P:
    """Validate parameters.

    Raises:
        SandboxError: names the first parameter that is missing, unknown or wrong.
    """
    try:
        return kind.model_validate(sent)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
    first, *rest = [str(part) for part in problem["loc"] if part != "[key]"]
    param = first + "".join(f"[{part}]" for part in rest)
    reason = problem.get("ctx", {}).get("error") or problem["msg"]
    message, code = _REFUSALS.get(problem["type"], (f"Invalid {{}}: {reason}", None))
    raise SandboxError(message.format(param), code=code, param=param)


def _integer(value: object) -> object:
    if isinstance(value, str) and not _INTEGER.fullmatch(value):  # Pydantic accepts `10.0` and `1_000`; Stripe does not
        raise ValueError(f"Invalid integer: {value[:40]}")
    return value


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not value.isprintable() or " " in value:
        raise ValueError("Not a valid URL")
    return value


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise ValueError("Invalid email address")
    return value


def _currency(value: str) -> str:
    if value.upper() not in CURRENCIES:
        raise ValueError(f"Invalid currency: {value[:10]}.")
    return value.lower()


Integer = Annotated[int, BeforeValidator(_integer)]
Text = Annotated[str, Field(min_length=1, max_length=5000)]
WebUrl = Annotated[Text, AfterValidator(_web_address)]
Email = Annotated[str, Field(max_length=512), AfterValidator(_email)]
# https://docs.stripe.com/api/metadata
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=500)]], Field(max_length=50)
]


class NoParameters(Parameters):
    """Of a call without parameters."""


class ProductData(Parameters):
    """Of a price: what is sold."""

    name: Annotated[str, Field(min_length=1, max_length=250)]


class PriceData(Parameters):
    """Of a line item. `unit_amount` is in minor units."""

    currency: Annotated[str, AfterValidator(_currency)]
    unit_amount: Integer
    product_data: ProductData

    @field_validator("unit_amount")
    @classmethod
    def _can_be_charged(cls, amount: int, info: ValidationInfo) -> int:
        if "currency" in info.data and (refusal := refuse_price(amount, info.data["currency"].upper())):
            raise ValueError(refusal)
        return amount


class LineItem(Parameters):
    """Of a session. An order buys one plan once."""

    price_data: PriceData
    quantity: Literal["1"]


class IntentData(Parameters):
    """Of a session: what its payment intent is created with."""

    metadata: Metadata = {}


class NewSession(Parameters):
    """`POST /v1/checkout/sessions`. `expires_at` is in seconds since the epoch."""

    mode: Literal["payment"]
    line_items: Annotated[dict[Literal["0"], LineItem], Field(min_length=1)]
    success_url: WebUrl
    cancel_url: WebUrl | None = None
    expires_at: Integer | None = None
    client_reference_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    customer_email: Email | None = None
    metadata: Metadata = {}
    payment_intent_data: IntentData = IntentData()
    billing_address_collection: Literal["auto"] = "auto"


class SessionExpansion(Parameters):
    """Which ids in a session are replaced by the objects (https://docs.stripe.com/expand)."""

    expand: dict[str, Literal["payment_intent", "payment_intent.latest_charge"]] = {}


class NewRefund(Parameters):
    """`POST /v1/refunds`. Without an amount all that is left is refunded."""

    payment_intent: Text
    amount: Annotated[Integer, Field(ge=1)] | None = None
    metadata: Metadata = {}


class Since(Parameters):
    """A lower bound, in seconds since the epoch."""

    gte: Annotated[Integer, Field(ge=0)] = 0


class ListPage(Parameters):
    """One page of a list, newest first (https://docs.stripe.com/api/pagination)."""

    limit: Annotated[Integer, Field(ge=1, le=100)] = 10
    starting_after: Text | None = None
    created: Since = Since()


class PaymentListPage(ListPage):
    """A list that can be limited to one payment."""

    payment_intent: Text | None = None


class Buyer(Parameters):
    """Who pays. The address has Stripe's names: `line1`, `postal_code`, `country`, …."""

    name: Annotated[str, Field(max_length=250)] | None = None
    email: Email | None = None
    address: dict[str, str | None] | None = None


class RefundAmount(Parameters):
    """A refund from Stripe's dashboard, in minor units."""

    amount: Annotated[Integer, Field(ge=1)] | None = None


class NewDispute(Parameters):
    """A dispute. In an inquiry the bank only asks and takes no money."""

    inquiry: bool = False


class DisputeEnd(Parameters):
    """How a dispute ends."""

    status: Literal["won", "lost", "warning_closed"] | None = None


class Flush(Parameters):
    """Waits until all webhooks are delivered. `at_once` also sends what is delayed or waits for a retry."""

    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30
    at_once: bool = False
