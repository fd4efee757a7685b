"""The service of invoices."""

from uuid import UUID

from domain.paging import Page, PageRequest
from domain.payments.invoice_repository import InvoiceRepository
from domain.payments.invoices import Invoice
from domain.unit_of_work import Store


class InvoiceService:
    """Invoices and credit notes that were issued."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def invoice(self, invoice_id: UUID) -> Invoice | None:
        """An invoice."""
        with self._store.reading() as connection:
            return InvoiceRepository(connection).invoice(invoice_id)

    def invoices(self, member_id: UUID, request: PageRequest) -> Page[Invoice]:
        """The invoices of a member, newest first."""
        with self._store.reading() as connection:
            return InvoiceRepository(connection).of_member(member_id, request)
