"""Request and response bodies of orders, refunds, desk payments and invoices."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from deployments.http.request_body import RequestBody
from deployments.http.schemas import Document, MoneyDocument, Reason
from deployments.http.text import LINE, PARAGRAPHS
from deployments.payments.orders import OrderView
from domain.currencies import LARGEST_AMOUNT
from domain.memberships.ledger import Method
from domain.money import Money
from domain.payments.invoices import Invoice
from domain.payments.model import Order, OrderState, RefundState


class NewCheckout(RequestBody):
    """A plan to buy, at the price of the plan."""

    plan_id: UUID
    success_url: Annotated[str, Field(max_length=1000)] | None = Field(
        default=None, description="Where the checkout leads afterwards: a page of ours, or of an allowed origin."
    )
    cancel_url: Annotated[str, Field(max_length=1000)] | None = None


class OrderDocument(Document):
    """An order. `url` is the payment page, while the order can be paid."""

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
        """Convert an order."""
        return cls.copy_of(order, **_order_fields(order))


class RefundDocument(Document):
    """A refund, done or pending. The amount is in minor units."""

    id: UUID
    amount: int
    state: RefundState
    days: int = Field(description="Days that the refund removed.")
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
    """An order with its invoices and refunds."""

    invoices: list[OrderInvoice]
    refunds: list[RefundDocument]

    @classmethod
    def whole(cls, view: OrderView) -> Self:
        """Convert an order with its invoices and refunds."""
        return cls.copy_of(
            view.order,
            **_order_fields(view.order),
            invoices=[
                OrderInvoice(id=each.id, number=each.text.number, kind=each.text.kind, pdf=_pdf_path(each.id))
                for each in view.invoices
            ],
            refunds=[RefundDocument.model_validate(each) for each in view.refunds],
        )


def _order_fields(order: Order) -> dict[str, Any]:
    is_open = order.state is OrderState.OPEN
    return {
        "refunded": Money(order.refunded, order.price.currency),
        "url": order.checkout_url if is_open else None,
        "expires_at": order.expires_at if is_open else None,
    }


class NewRefund(RequestBody):
    """Money to refund."""

    amount: Annotated[int, Field(ge=1, le=LARGEST_AMOUNT)] | None = Field(
        default=None, description="Minor units (default: all that is left)."
    )
    reason: Reason


class Reversal(RequestBody):
    """Why a desk payment is reversed."""

    reason: Reason


class DeskMethod(StrEnum):
    """How a member paid at the front desk."""

    CASH = "cash"
    CARD_TERMINAL = "card_terminal"


class NewDeskPayment(RequestBody):
    """A plan that a member paid for at the front desk."""

    member_id: UUID
    plan_id: UUID
    method: DeskMethod
    buyer_name: Annotated[str, StringConstraints(max_length=200), LINE] = ""
    buyer_address: Annotated[str, StringConstraints(max_length=500), PARAGRAPHS] = ""


class TakingsDocument(Document):
    """What one member of staff took and gave back on one day, by method. Amounts are in minor units."""

    by_id: UUID
    method: Method
    currency: str
    sales: int
    taken: int
    given_back: int
    kept: int


class ReportDocument(BaseModel):
    """The daily report of the front desks."""

    takings: list[TakingsDocument]


class ReconciledDocument(Document):
    """The result of a reconciliation with the payment provider."""

    events_missed: int
    orders_checked: int
    mended: list[UUID]
    refunds_asked: int
    unknown: list[str]
    problems: dict[UUID, str]
    failures: int = Field(description="Events, orders and refunds that failed; the next reconciliation retries them.")


class InvoiceDocument(Document):
    """An invoice, or a credit note, whose amounts are negative."""

    id: UUID
    number: str
    kind: str
    order_id: UUID
    member_id: UUID
    issued_on: date
    gross: MoneyDocument
    net: MoneyDocument
    vat: MoneyDocument
    vat_rate_bp: int
    refers_to: str | None
    pdf: str

    @classmethod
    def of(cls, invoice: Invoice) -> Self:
        """Convert an invoice."""
        text = invoice.text
        return cls.copy_of(
            text,
            id=invoice.id,
            order_id=invoice.order_id,
            member_id=invoice.member_id,
            gross=Money(text.gross, text.currency),
            net=Money(text.net, text.currency),
            vat=Money(text.vat, text.currency),
            pdf=_pdf_path(invoice.id),
        )


def _pdf_path(invoice_id: UUID) -> str:
    return f"/api/invoices/{invoice_id}.pdf"
