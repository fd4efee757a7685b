"""`fitmonitor order`: orders, payments at the desk, refunds."""

from typing import Annotated, Any

import typer

from cluster.cli.api.connection import connected
from cluster.cli.api.lookup import email_or_id, find_plan, find_user, parse_id
from cluster.cli.api.options import AsJson, Key, Limit, MemberArgument, Yes, command_group, confirm
from cluster.cli.api.prices import parse_amount
from cluster.cli.output import local_time, parsed_time, print_fields, print_json, print_list, print_plain, printable
from cluster.cli.plans import PlanArgument
from deployments.gateway.payments.schemas import DeskMethod
from domain.ids import new_id

app = command_group("Orders: show them, take payments at the desk, refund them.")

OrderArgument = Annotated[
    str, typer.Argument(metavar="ORDER", help="The order's id, as `order list` prints it.", show_default=False)
]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the order.", show_default=False)]


@app.command("list")
def list_orders(member: MemberArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """List a member's orders, newest first.

    Example: fitmonitor order list tara.jansen@demo.example
    """
    with connected() as api:
        found = api.all(f"/members/{find_user(api, member)['id']}/orders", limit)
    print_list(
        found.items,
        {
            "id": "id",
            "state": "state",
            "created": lambda order: parsed_time(order["created_at"]),
            "price": "price",
            "method": "method",
            "plan": "plan_name",
        },
        as_json=as_json,
        more=found.more,
    )


@app.command()
def show(order: OrderArgument, *, as_json: AsJson = False) -> None:
    """Show an order with its invoices and refunds.

    Example: fitmonitor order show 0198c0de-0000-7000-8000-000000000000
    """
    with connected() as api:
        found = api.get(_path(order))
    _print(found, as_json=as_json)


@app.command()
def check(order: OrderArgument, *, as_json: AsJson = False) -> None:
    """Ask the payment provider for the state of an order now.

    Example: fitmonitor order check 0198c0de-0000-7000-8000-000000000000
    """
    with connected() as api:
        found = api.post(f"{_path(order)}/check", repeatable=True)
    _print(found, as_json=as_json)


@app.command()
def desk(
    member: MemberArgument,
    plan: PlanArgument,
    method: Annotated[DeskMethod, typer.Option(help="How the member paid.", show_default=False)],
    buyer_name: Annotated[str, typer.Option(help="The name on the invoice (default: the member's).")] = "",
    buyer_address: Annotated[str, typer.Option(help="The address on the invoice.")] = "",
    key: Key = "",
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Record a payment at the desk, in cash or at the card terminal, and sell the plan.

    Example: fitmonitor order desk tara.jansen@demo.example "30 days" --method cash --yes
    """
    with connected() as api:
        user, bought = find_user(api, member), find_plan(api, plan)
        payment = f"{printable(user['name'])} ({email_or_id(user)}) paid {printable(bought['price'])}"
        confirm(f"record that {payment} for {printable(bought['name'])} by {method.value}", yes=yes)
        body = {
            "member_id": user["id"],
            "plan_id": bought["id"],
            "method": method.value,
            "buyer_name": buyer_name,
            "buyer_address": buyer_address,
        }
        sold = api.post("/desk-payments", body, key=key or str(new_id()))
    _print(sold, as_json=as_json)


@app.command()
def refund(
    order: OrderArgument,
    reason: Reason,
    amount: Annotated[str | None, typer.Option(help="The amount, like 4.00 (default: all that is left).")] = None,
    key: Key = "",
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Refund an order, and remove the unused days that it paid for.

    Example: fitmonitor order refund 0198c0de-0000-7000-8000-000000000000 --amount 4.00 --reason "ill" --yes
    """
    with connected() as api:
        found = api.get(_path(order))
        price, refunded = found["price"], found["refunded"]
        minor_units = None if amount is None else parse_amount(amount, price["currency"])
        back = price["amount"] - refunded["amount"] if minor_units is None else minor_units
        money = printable({"amount": back, "currency": price["currency"]})
        paid = f"the {printable(price)} paid for {printable(found['plan_name'])}"
        confirm(f"refund {money} of {paid}, and remove the unused days that it bought", yes=yes)
        body = {"amount": minor_units, "reason": reason}
        done = api.post(f"{_path(order)}/refunds", body, key=key or str(new_id()))
    _print(done, as_json=as_json)


@app.command()
def reverse(order: OrderArgument, reason: Reason, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Reverse a desk payment that was recorded by mistake, on the same day.

    Example: fitmonitor order reverse 0198c0de-0000-7000-8000-000000000000 --reason "wrong member" --yes
    """
    with connected() as api:
        found = api.get(_path(order))
        confirm(f"reverse the payment of {printable(found['price'])} for {printable(found['plan_name'])}", yes=yes)
        done = api.post(f"{_path(order)}/reverse", {"reason": reason}, repeatable=True)
    _print(done, as_json=as_json)


def _path(order: str) -> str:
    return f"/orders/{parse_id('order', order, 'fitmonitor order list MEMBER')}"


def _print(order: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(order)
        return
    fields = order | {"created": local_time(order["created_at"]), "paid": local_time(order["paid_at"])}
    fields["refunded"] = order["refunded"] if order["refunded"]["amount"] else ""
    names = ("id", "state", "plan_name", "days", "price", "method", "refunded", "created", "paid", "url", "problem")
    print_fields(fields, *names)
    for invoice in order["invoices"]:
        print_plain(f"{invoice['kind']} {invoice['number']}  {invoice['id']}")
    for refunded in order["refunds"]:
        money = printable({"amount": refunded["amount"], "currency": order["price"]["currency"]})
        print_plain(
            f"refund {money}  {refunded['state']}  {refunded['days']} days  {printable(refunded['reason'])}".rstrip()
        )
