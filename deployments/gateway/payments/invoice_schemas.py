"""Invoices and credit notes as JSON."""

from datetime import date
from typing import Self
from uuid import UUID

from pydantic import BaseModel

from deployments.gateway.payments.money_schemas import MoneyDocument
from domain.payments.invoices import Invoice


class InvoiceDocument(BaseModel):
    """An invoice or a credit note; a credit note's amounts are negative."""

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
        """As JSON."""
        text = invoice.text
        return cls(
            id=invoice.id,
            number=text.number,
            kind=text.kind,
            order_id=invoice.order_id,
            member_id=invoice.member_id,
            issued_on=text.issued_on,
            gross=MoneyDocument(amount=text.gross, currency=text.currency),
            net=MoneyDocument(amount=text.net, currency=text.currency),
            vat=MoneyDocument(amount=text.vat, currency=text.currency),
            vat_rate_bp=text.vat_rate_bp,
            refers_to=text.refers_to,
            pdf=pdf_of(invoice.id),
        )


def pdf_of(invoice_id: UUID) -> str:
    """Where an invoice's PDF is."""
    return f"/api/invoices/{invoice_id}.pdf"
