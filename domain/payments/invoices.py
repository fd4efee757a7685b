"""Invoices and credit notes, and the rule of their VAT."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from domain.money import vat_in
from domain.payments.ports import Buyer


class InvoiceKind(StrEnum):
    """Kinds of documents."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


@dataclass(frozen=True, slots=True)
class Seller:
    """The seller on an invoice."""

    name: str
    address: str
    vat_number: str


@dataclass(frozen=True, slots=True)
class InvoiceText:
    """The content of an invoice (Directive 2006/112/EC, article 226). Amounts are in minor units.

    Args:
        period: of the service, `[from, until)`; None if no day is left.
        refers_to: the number of the invoice that a credit note corrects.
    """

    kind: InvoiceKind
    number: str
    issued_on: date
    seller: Seller
    buyer: Buyer
    description: str
    period_from: date | None
    period_until: date | None
    currency: str
    gross: int
    net: int
    vat: int
    vat_rate_bp: int
    paid_by: str
    refers_to: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice as it was issued."""

    id: UUID
    order_id: UUID
    member_id: UUID
    text: InvoiceText
    issued_at: datetime


def next_vat(issued: Sequence[InvoiceText], gross: int, rate_bp: int) -> int:
    """The VAT of an order's next document. Together, all documents of an order have the VAT of the money kept.

    Args:
        issued: the earlier documents of the order.
        gross: of the next one, in minor units; negative on a credit note.
        rate_bp: the order's rate in hundredths of a percent.
    """
    kept = sum(each.gross for each in issued) + gross
    return vat_in(kept, rate_bp) - sum(each.vat for each in issued)
