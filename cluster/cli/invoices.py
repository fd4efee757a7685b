"""`fitmonitor invoice`: invoices and credit notes."""

from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.api.connection import connected
from cluster.cli.api.files import write_bytes
from cluster.cli.api.lookup import the_invoice, the_user
from cluster.cli.api.options import AsJson, Limit, MemberArgument, group
from cluster.cli.output import print_fields, print_json, print_list

app = group("Invoices, also as PDF.")

InvoiceArgument = Annotated[
    str,
    typer.Argument(metavar="INVOICE", help="The invoice's id; or its number, with --member.", show_default=False),
]
Whose = Annotated[
    str, typer.Option("--member", metavar="MEMBER", help="Whose it is; needed with a number.", show_default=False)
]


@app.command("list")
def list_invoices(member: MemberArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """List a member's invoices and credit notes, the newest first.

    Example: fitmonitor invoice list tara.jansen@demo.example
    """
    with connected() as api:
        found = api.all(f"/members/{the_user(api, member)['id']}/invoices", limit)
    print_list(
        found.items,
        lambda each: (each["id"], each["number"], each["kind"], each["issued_on"], each["gross"]),
        as_json=as_json,
        more=found.more,
    )


@app.command()
def show(invoice: InvoiceArgument, member: Whose = "", *, as_json: AsJson = False) -> None:
    """Show an invoice.

    Example: fitmonitor invoice show 17 --member tara.jansen@demo.example
    """
    with connected() as api:
        found = the_invoice(api, invoice, member)
    if as_json:
        print_json(found)
        return
    told = found | {"vat_rate": f"{found['vat_rate_bp'] / 100:g} %"}
    names = ("id", "number", "kind", "issued_on", "gross", "net", "vat", "vat_rate", "refers_to", "order_id")
    print_fields(told, *names, "member_id")


@app.command()
def pdf(
    invoice: InvoiceArgument,
    file: Annotated[Path, typer.Argument(help="Where to; - is standard output.", show_default=False)],
    member: Whose = "",
) -> None:
    """Write an invoice as PDF.

    Example: fitmonitor invoice pdf 17 invoice.pdf --member tara.jansen@demo.example
    """
    with connected() as api:
        write_bytes(file, api.content(f"/invoices/{the_invoice(api, invoice, member)['id']}.pdf"))
