"""Invoices and credit notes, as data, as a page, and as a PDF."""

import asyncio
from uuid import UUID

from fastapi import APIRouter, Response

from deployments.gateway.dependencies import OfParts, Parts
from deployments.gateway.payments.invoice_schemas import InvoiceDocument
from deployments.http.auth import UserAsker
from deployments.http.dependencies import TheUser
from deployments.http.paging import Asked, Listing, listing
from deployments.http.problems import ApiProblem, declared
from deployments.http.route_guard import guarded_router
from deployments.payments.invoices import InvoiceService
from domain.payments.invoices import Invoice
from integrations.rendering.invoices import PAGE_POLICY, invoice_page, invoice_pdf

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_TEXT = {"schema": {"type": "string"}}
_PROBLEMS = declared("unknown_invoice")


def router() -> APIRouter:
    """The calls about invoices."""
    routes = guarded_router("invoices")

    @routes.get("/me/invoices")
    async def my_invoices(user: TheUser, parts: OfParts, asked: Asked) -> Listing[InvoiceDocument]:
        """My invoices and credit notes, newest first."""
        return listing(await parts.payments(InvoiceService.invoices, user.id, asked), InvoiceDocument.of)

    @routes.get("/members/{member_id}/invoices")
    async def invoices(member_id: UUID, parts: OfParts, asked: Asked) -> Listing[InvoiceDocument]:
        """A member's invoices and credit notes, newest first."""
        return listing(await parts.payments(InvoiceService.invoices, member_id, asked), InvoiceDocument.of)

    @routes.get(
        "/invoices/{invoice_id}.pdf",
        response_class=Response,
        responses={200: {"content": {"application/pdf": _BINARY}}, **_PROBLEMS},
    )
    async def as_pdf(invoice_id: UUID, user: TheUser, parts: OfParts) -> Response:
        """An invoice as a PDF: one's own, or for staff anybody's."""
        invoice = await _visible(parts, user, invoice_id)
        content = await asyncio.to_thread(invoice_pdf, invoice.text)
        name = f"{invoice.text.kind}-{invoice.text.number}.pdf"
        headers = {"Content-Disposition": f'inline; filename="{name}"'}
        return Response(content, media_type="application/pdf", headers=headers)

    @routes.get(
        "/invoices/{invoice_id}.html",
        response_class=Response,
        responses={200: {"content": {"text/html": _TEXT}}, **_PROBLEMS},
    )
    async def as_page(invoice_id: UUID, user: TheUser, parts: OfParts) -> Response:
        """An invoice as a page: one's own, or for staff anybody's."""
        invoice = await _visible(parts, user, invoice_id)
        headers = {"Content-Security-Policy": PAGE_POLICY}
        return Response(invoice_page(invoice.text), media_type="text/html", headers=headers)

    @routes.get("/invoices/{invoice_id}", responses=_PROBLEMS)
    async def invoice(invoice_id: UUID, user: TheUser, parts: OfParts) -> InvoiceDocument:
        """An invoice as data: one's own, or for staff anybody's."""
        return InvoiceDocument.of(await _visible(parts, user, invoice_id))

    return routes


async def _visible(parts: Parts, user: UserAsker, invoice_id: UUID) -> Invoice:
    found = await parts.payments(InvoiceService.invoice, invoice_id)
    if found is None or not (user.is_staff or found.member_id == user.id):
        raise ApiProblem("unknown_invoice", "There is no such invoice, or it is somebody else's.")
    return found
