"""`fitmonitor invoice`: invoices and credit notes."""

from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.api.connection import connected
from cluster.cli.api.files import write_bytes
from cluster.cli.api.lookup import find_invoice, find_user
from cluster.cli.api.options import AsJson, Limit, MemberArgument, command_group
from cluster.cli.output import print_document, print_list

app = command_group("Invoices and credit notes, also as PDF.")

InvoiceArgument = Annotated[
    str,
    typer.Argument(metavar="INVOICE", help="The invoice's id; or its number, with --member.", show_default=False),
]
Member = Annotated[
    str,
    typer.Option("--member", metavar="MEMBER", help="The member; required with a number.", show_default=False),
]


@app.command("list")
def list_invoices(member: MemberArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """List a member's invoices and credit notes, newest first.

    Example: fitmonitor invoice list tara.jansen@demo.example
    """
    with connected() as api:
        found = api.all(f"/members/{find_user(api, member)['id']}/invoices", limit)
    columns = {"id": "id", "number": "number", "kind": "kind", "issued": "issued_on", "gross": "gross"}
    print_list(found.items, columns, as_json=as_json, more=found.more)


@app.command()
def show(invoice: InvoiceArgument, member: Member = "", *, as_json: AsJson = False) -> None:
    """Show an invoice.

    Example: fitmonitor invoice show 17 --member tara.jansen@demo.example
    """
    with connected() as api:
        found = find_invoice(api, invoice, member)
    amounts = ("gross", "net", "vat", "vat_rate")
    names = ("id", "number", "kind", "issued_on", *amounts, "refers_to", "order_id", "member_id")
    print_document(found, *names, as_json=as_json, vat_rate=f"{found['vat_rate_bp'] / 100:g} %")


@app.command()
def pdf(
    invoice: InvoiceArgument,
    file: Annotated[Path, typer.Argument(help="The file to write; - is stdout.", show_default=False)],
    member: Member = "",
) -> None:
    """Write an invoice as PDF.

    Example: fitmonitor invoice pdf 17 invoice.pdf --member tara.jansen@demo.example
    """
    with connected() as api:
        write_bytes(file, api.content(f"/invoices/{find_invoice(api, invoice, member)['id']}.pdf"))
