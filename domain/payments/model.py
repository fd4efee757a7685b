"""Orders and what becomes of them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.memberships.ledger import Method
from domain.money import Money


class OrderState(StrEnum):
    """Where an order is."""

    OPEN = "open"  # nothing is paid yet
    PROCESSING = "processing"  # the payment is on its way, which may take days
    PAID = "paid"
    FAILED = "failed"  # a payment on its way did not arrive
    EXPIRED = "expired"  # nobody paid in time
    REFUNDED = "refunded"  # all of it
    DISPUTED = "disputed"  # by the payer's bank
    LOST = "lost"  # to the payer's bank
    REVERSED = "reversed"  # a mistake at the desk


# Nothing is expected of these any more unless the provider says so.
AWAITED = frozenset({OrderState.OPEN, OrderState.PROCESSING})

# Awaited orders of one member: the door asks the provider about all of them before it refuses somebody.
MOST_AWAITED = 3


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants, as it was offered: plan, days and price stay what they were.

    Args:
        price: gross.
        vat_rate_bp: in hundredths of a percent.
        refunded: minor units given back.
        by_id: of the staff who took the money; None: the member bought.
        problem: why somebody has to look at it.
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
        """Whether its days were booked."""
        return self.membership_id is not None

    @property
    def left(self) -> Money:
        """What of the price was not given back."""
        return Money(self.price.amount - self.refunded, self.price.currency)


class RefundState(StrEnum):
    """Where a refund is."""

    ASKED = "asked"  # of the provider, which has not answered yet
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back. `days`: how many it took back; None of `booked_at`: none yet."""

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
        """Whether the provider has not said yet that it arrived or failed."""
        return self.state in {RefundState.ASKED, RefundState.PENDING}


class DisputeState(StrEnum):
    """Where a dispute is."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class PaymentProblem(StrEnum):
    """Why something about a payment is not done. Stable codes."""

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
    """What is wrong, and what would mend it."""

    problem: PaymentProblem
    detail: str


UNKNOWN_ORDER = PaymentRefusal(PaymentProblem.UNKNOWN_ORDER, "There is no such order, or it is somebody else's.")


UNKNOWN_MEMBER = PaymentRefusal(
    PaymentProblem.UNKNOWN_MEMBER, "There is no such user, or the account is being deleted."
)

PAYMENTS_DISABLED = PaymentRefusal(
    PaymentProblem.DISABLED,
    "Payments by card are disabled: FITMONITOR_STRIPE__API_KEY is not set. Pay at the desk.",
)
