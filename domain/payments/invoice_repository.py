"""Invoices and credit notes in the database."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Row, insert, select

from domain.companies.repository import CompanyRepository
from domain.identity.tables import users
from domain.ids import new_id
from domain.memberships.periods import Period
from domain.money import Money
from domain.paging import Page, PageRequest, page
from domain.payments.invoices import Invoice, InvoiceKind, InvoiceText, Seller, next_vat
from domain.payments.model import Order
from domain.payments.ports import Buyer
from domain.payments.tables import invoices

_encoder = msgspec.json.Encoder()


_decoder = msgspec.json.Decoder(InvoiceText)


class InvoiceRepository:
    """Reads and issues invoices in one unit of work. Numbers have no gaps within a company."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def invoice(self, invoice_id: UUID) -> Invoice | None:
        """An invoice."""
        row = self._connection.execute(select(invoices).where(invoices.c.id == invoice_id)).one_or_none()
        return _invoice(row) if row else None

    def of_order(self, order_id: UUID) -> list[Invoice]:
        """The invoices of an order, oldest first."""
        query = select(invoices).where(invoices.c.order_id == order_id).order_by(invoices.c.number)
        return [_invoice(row) for row in self._connection.execute(query)]

    def credited(self, effect: str) -> int:
        """The amount of a credit note in minor units; 0 if there is none.

        Args:
            effect: the refund, dispute or reversal that it is for.
        """
        query = select(invoices.c.amount).where(invoices.c.effect == effect)
        amount: int | None = self._connection.execute(query).scalar_one_or_none()
        return -(amount or 0)

    def of_member(self, member_id: UUID, request: PageRequest) -> Page[Invoice]:
        """The invoices of a member, newest first."""
        query = select(invoices).where(invoices.c.member_id == member_id)
        if request.after is not None:
            query = query.where(invoices.c.id < request.after)
        rows = self._connection.execute(query.order_by(invoices.c.id.desc()).limit(request.fetch)).all()
        return page([_invoice(row) for row in rows], request, lambda invoice: invoice.id)

    def issue(
        self,
        order: Order,
        kind: InvoiceKind,
        gross: Money,
        effect: str,
        now: datetime,
        *,
        issued_on: date,
        period: Period | None,
        buyer: Buyer | None = None,
        reason: str = "",
    ) -> Invoice:
        """Issue a document under the company's next number. The company stays locked until the unit of work ends.

        Args:
            gross: positive, also for a credit note.
            effect: the payment or refund that it is for; the database refuses a second document for it.
            buyer: None: as on the first invoice of the order, or the member's own data.
        """
        companies = CompanyRepository(self._connection)
        number = companies.next_invoice_number(order.company_id)
        company = companies.company(order.company_id)
        before = self.of_order(order.id)
        signed = -gross.amount if kind is InvoiceKind.CREDIT_NOTE else gross.amount
        vat = next_vat([each.text for each in before], signed, order.vat_rate_bp)
        text = InvoiceText(
            kind=kind,
            number=f"{number:06d}",
            issued_on=issued_on,
            seller=Seller(company.name, company.address, company.vat_number),
            buyer=before[0].text.buyer if before else self._buyer(order.member_id, buyer),
            description=f"Membership, {order.plan_name}",
            period_from=period.start if period else None,
            period_until=period.end if period else None,
            currency=gross.currency,
            gross=signed,
            net=signed - vat,
            vat=vat,
            vat_rate_bp=order.vat_rate_bp,
            paid_by=order.method,
            refers_to=before[0].text.number if before else None,
            reason=reason,
        )
        invoice = Invoice(new_id(), order.id, order.member_id, text, now)
        self._connection.execute(
            insert(invoices).values(
                id=invoice.id,
                company_id=company.id,
                number=number,
                effect=effect,
                kind=kind,
                order_id=order.id,
                member_id=order.member_id,
                refers_to_id=before[0].id if before else None,
                amount=text.gross,
                currency=text.currency,
                document=_encoder.encode(text).decode(),
                issued_at=now,
            )
        )
        return invoice

    def _buyer(self, member_id: UUID, entered: Buyer | None) -> Buyer:
        user = self._connection.execute(select(users.c.name, users.c.email).where(users.c.id == member_id)).one()
        entered = entered or Buyer()
        return Buyer(entered.name or user.name, entered.email or user.email or "", entered.address)


def _invoice(row: Row[*tuple[Any, ...]]) -> Invoice:
    return Invoice(row.id, row.order_id, row.member_id, _decoder.decode(row.document), row.issued_at)
