"""Orders, refunds and payments at the desk as JSON."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from deployments.gateway.payments.invoice_schemas import pdf_of
from deployments.gateway.payments.money_schemas import MoneyDocument, Reason
from deployments.http.document import Document
from deployments.http.request_body import RequestBody
from deployments.http.text import LINE, PARAGRAPHS
from deployments.payments.orders_desk import OrderView
from domain.currencies import LARGEST_AMOUNT
from domain.memberships.ledger import Method
from domain.payments.model import Order, OrderState, RefundState


class NewCheckout(RequestBody):
    """What is to be bought. The price is the plan's."""

    plan_id: UUID
    success_url: Annotated[str, Field(max_length=1000)] | None = Field(
        default=None, description="Where the checkout leads afterwards: a page of ours, or of an allowed origin."
    )
    cancel_url: Annotated[str, Field(max_length=1000)] | None = None


class OrderDocument(Document):
    """An order. `url` is where it is paid, as long as it can be."""

    id: UUID
    member_id: UUID
    plan_id: UUID
    plan_name: str
    days: int
    price: MoneyDocument
    refunded: MoneyDocument
    method: Method
    state: OrderState
    url: str | None
    expires_at: datetime | None
    created_at: datetime
    paid_at: datetime | None
    by_id: UUID | None
    problem: str | None

    @classmethod
    def of(cls, order: Order) -> Self:
        """As JSON."""
        return cls(**_order(order))


class RefundDocument(Document):
    """Money given back, or about to be."""

    id: UUID
    amount: int
    state: RefundState
    days: int = Field(description="That it took back.")
    reason: str
    by_id: UUID | None
    created_at: datetime


class OrderInvoice(BaseModel):
    """An invoice of an order."""

    id: UUID
    number: str
    kind: str
    pdf: str


class WholeOrderDocument(OrderDocument):
    """An order with what was issued for it and given back of it."""

    invoices: list[OrderInvoice]
    refunds: list[RefundDocument]

    @classmethod
    def whole(cls, view: OrderView) -> Self:
        """As JSON."""
        return cls(
            **_order(view.order),
            invoices=[
                OrderInvoice(id=each.id, number=each.text.number, kind=each.text.kind, pdf=pdf_of(each.id))
                for each in view.invoices
            ],
            refunds=[RefundDocument.model_validate(each) for each in view.refunds],
        )


def _order(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "member_id": order.member_id,
        "plan_id": order.plan_id,
        "plan_name": order.plan_name,
        "days": order.days,
        "price": MoneyDocument.of(order.price),
        "refunded": MoneyDocument(amount=order.refunded, currency=order.price.currency),
        "method": order.method,
        "state": order.state,
        "url": order.checkout_url if order.state is OrderState.OPEN else None,
        "expires_at": order.expires_at if order.state is OrderState.OPEN else None,
        "created_at": order.created_at,
        "paid_at": order.paid_at,
        "by_id": order.by_id,
        "problem": order.problem,
    }


class NewRefund(RequestBody):
    """What is to be given back."""

    amount: Annotated[int, Field(ge=1, le=LARGEST_AMOUNT)] | None = Field(
        default=None, description="Minor units; left out: all that is left."
    )
    reason: Reason


class Reversal(RequestBody):
    """Why a payment at the desk is taken back."""

    reason: Reason


class DeskMethod(StrEnum):
    """How somebody paid at the desk."""

    CASH = "cash"
    CARD_TERMINAL = "card_terminal"


class NewDeskPayment(RequestBody):
    """Somebody has paid at the desk."""

    member_id: UUID
    plan_id: UUID
    method: DeskMethod
    buyer_name: Annotated[str, StringConstraints(max_length=200), LINE] = ""
    buyer_address: Annotated[str, StringConstraints(max_length=500), PARAGRAPHS] = ""


class TakingsDocument(Document):
    """What somebody of the staff took and gave back on one day. Minor units."""

    by_id: UUID
    method: Method
    currency: str
    sales: int
    taken: int
    given_back: int
    kept: int


class ReportDocument(BaseModel):
    """The end of a day at the desks."""

    takings: list[TakingsDocument]


class ReconciledDocument(Document):
    """What a reconciliation did and found."""

    events_missed: int
    orders_checked: int
    mended: list[UUID]
    refunds_asked: int
    unknown: list[str]
    problems: dict[UUID, str]
    failures: int = Field(description="Events, orders and refunds that could not be dealt with; they are tried again.")
