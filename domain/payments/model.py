"""Orders, refunds, disputes, and refusals about payments."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.memberships.ledger import Method
from domain.money import Money


class OrderState(StrEnum):
    """States of an order."""

    OPEN = "open"  # not paid yet
    PROCESSING = "processing"  # the payment takes some days
    PAID = "paid"
    FAILED = "failed"  # the payment failed
    EXPIRED = "expired"  # not paid in time
    REFUNDED = "refunded"  # in full
    DISPUTED = "disputed"  # by the payer's bank
    LOST = "lost"  # to the payer's bank
    REVERSED = "reversed"  # a mistake at the desk


# States in which the payment is still awaited.
AWAITED = frozenset({OrderState.OPEN, OrderState.PROCESSING})

# Awaited orders of one member. The door checks all of them at the provider before it refuses the member.
MOST_AWAITED = 3


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a plan. Plan, days and price stay as they were offered.

    Args:
        price: gross.
        vat_rate_bp: in hundredths of a percent.
        refunded: minor units.
        by_id: the staff member who took the money; None: the member bought online.
        problem: why the order needs attention.
    """

    id: UUID
    member_id: UUID
    company_id: UUID
    plan_id: UUID
    plan_name: str
    days: int
    price: Money
    vat_rate_bp: int
    method: Method
    state: OrderState
    created_at: datetime
    refunded: int = 0
    membership_id: UUID | None = None
    by_id: UUID | None = None
    success_url: str | None = None
    cancel_url: str | None = None
    session_id: str | None = None
    checkout_url: str | None = None
    expires_at: datetime | None = None
    payment_intent_id: str | None = None
    charge_id: str | None = None
    problem: str | None = None
    paid_at: datetime | None = None

    @property
    def is_fulfilled(self) -> bool:
        """Whether the days were booked."""
        return self.membership_id is not None

    @property
    def left(self) -> Money:
        """The part of the price that was not refunded."""
        return Money(self.price.amount - self.refunded, self.price.currency)


class RefundState(StrEnum):
    """States of a refund."""

    ASKED = "asked"  # stored; the provider has not answered yet
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund. `days`: how many days it took back; `booked_at` is None until then."""

    id: UUID
    order_id: UUID
    provider_id: str | None
    amount: int
    state: RefundState
    days: int
    reason: str
    by_id: UUID | None
    created_at: datetime
    booked_at: datetime | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether the provider has not yet reported success or failure."""
        return self.state in {RefundState.ASKED, RefundState.PENDING}


class DisputeState(StrEnum):
    """States of a dispute."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class PaymentProblem(StrEnum):
    """Reasons for a refusal. Stable, because clients compare them."""

    UNKNOWN_ORDER = "unknown_order"
    UNKNOWN_INVOICE = "unknown_invoice"
    NOT_PAID = "order_not_paid"
    AMOUNT_NOT_PAYABLE = "amount_not_payable"
    REFUND_TOO_LARGE = "refund_too_large"
    DISPUTED = "order_disputed"
    DISABLED = "payments_disabled"
    REFUSED = "payment_refused"
    BAD_SIGNATURE = "bad_signature"
    NO_SUCH_PRICE = "no_such_price"
    FOREIGN_URL = "foreign_url"
    NOT_REVERSIBLE = "not_reversible"
    UNKNOWN_MEMBER = "unknown_user"
    TOO_MANY_OPEN = "too_many_open_orders"


@dataclass(frozen=True, slots=True)
class PaymentRefusal:
    """A refused request and its reason. The detail says how to resolve it."""

    problem: PaymentProblem
    detail: str


UNKNOWN_ORDER = PaymentRefusal(PaymentProblem.UNKNOWN_ORDER, "There is no such order, or it belongs to another member.")


UNKNOWN_MEMBER = PaymentRefusal(
    PaymentProblem.UNKNOWN_MEMBER, "There is no such user, or the account is being deleted."
)

PAYMENTS_DISABLED = PaymentRefusal(
    PaymentProblem.DISABLED,
    "Payments by card are disabled: FITMONITOR_STRIPE__API_KEY is not set. Pay at the desk.",
)
