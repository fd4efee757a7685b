"""`fitmonitor order`: what was bought; money taken at the desk, and given back."""

from typing import Annotated, Any

import typer

from cluster.cli.api.assent import ask_first
from cluster.cli.api.connection import connected
from cluster.cli.api.lookup import address_of, id_of, the_plan, the_user
from cluster.cli.api.options import AsJson, Key, Limit, MemberArgument, Yes, group
from cluster.cli.api.prices import amount_of
from cluster.cli.output import moment, print_fields, print_json, print_list, print_plain, shown
from cluster.cli.plans import PlanArgument
from deployments.gateway.order_documents import DeskMethod
from domain.ids import new_id

app = group("Orders: look at one, take money at the desk, give it back.")

OrderArgument = Annotated[
    str, typer.Argument(metavar="ORDER", help="The order's id, as `order list` shows it.", show_default=False)
]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with the order.", show_default=False)]


@app.command("list")
def list_orders(member: MemberArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """List a member's orders, the newest first.

    Example: fitmonitor order list tara.jansen@demo.example
    """
    with connected() as api:
        found = api.all(f"/members/{the_user(api, member)['id']}/orders", limit)
    print_list(
        found.items,
        lambda order: (
            *(order["id"], order["state"], moment(order["created_at"]), order["price"], order["method"]),
            order["plan_name"],
        ),
        as_json=as_json,
        more=found.more,
    )


@app.command()
def show(order: OrderArgument, *, as_json: AsJson = False) -> None:
    """Show an order with its invoices and what was given back.

    Example: fitmonitor order show 0198c0de-0000-7000-8000-000000000000
    """
    with connected() as api:
        found = api.get(_path(order))
    _tell(found, as_json=as_json)


@app.command()
def check(order: OrderArgument, *, as_json: AsJson = False) -> None:
    """Ask the payment's provider about an order now.

    Example: fitmonitor order check 0198c0de-0000-7000-8000-000000000000
    """
    with connected() as api:
        found = api.post(f"{_path(order)}/check", again=True)
    _tell(found, as_json=as_json)


@app.command()
def desk(
    member: MemberArgument,
    plan: PlanArgument,
    method: Annotated[DeskMethod, typer.Option(help="How it was paid.", show_default=False)],
    buyer_name: Annotated[str, typer.Option(help="On the invoice, in place of the member's.")] = "",
    buyer_address: Annotated[str, typer.Option(help="On the invoice.")] = "",
    key: Key = "",
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Sell a plan to somebody who has paid at the desk, in cash or at the card terminal.

    Example: fitmonitor order desk tara.jansen@demo.example "30 days" --method cash --yes
    """
    with connected() as api:
        user, wanted = the_user(api, member), the_plan(api, plan)
        what = f"book that {shown(user['name'])} ({address_of(user)}) paid {shown(wanted['price'])}"
        ask_first(f"{what} for {shown(wanted['name'])} by {method.value}", yes=yes)
        body = {
            "member_id": user["id"],
            "plan_id": wanted["id"],
            "method": method.value,
            "buyer_name": buyer_name,
            "buyer_address": buyer_address,
        }
        sold = api.post("/desk-payments", body, key=key or str(new_id()))
    _tell(sold, as_json=as_json)


@app.command()
def refund(
    order: OrderArgument,
    reason: Why,
    amount: Annotated[str | None, typer.Option(help="As in 4.00; all that is left without it.")] = None,
    key: Key = "",
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give money back, and take back the days that it paid for, as far as they are unused.

    Example: fitmonitor order refund 0198c0de-0000-7000-8000-000000000000 --amount 4.00 --reason "ill" --yes
    """
    with connected() as api:
        found = api.get(_path(order))
        price, given = found["price"], found["refunded"]
        minor = None if amount is None else amount_of(amount, price["currency"])
        left = {"amount": price["amount"] - given["amount"], "currency": price["currency"]}
        back = left if minor is None else {"amount": minor, "currency": price["currency"]}
        paid = f"the {shown(price)} paid for {shown(found['plan_name'])}"
        ask_first(f"give back {shown(back)} of {paid}, with the unused days that it bought", yes=yes)
        done = api.post(f"{_path(order)}/refunds", {"amount": minor, "reason": reason}, key=key or str(new_id()))
    _tell(done, as_json=as_json)


@app.command()
def reverse(order: OrderArgument, reason: Why, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Take back a payment at the desk that was a mistake, the same day.

    Example: fitmonitor order reverse 0198c0de-0000-7000-8000-000000000000 --reason "wrong member" --yes
    """
    with connected() as api:
        found = api.get(_path(order))
        ask_first(f"take back the payment of {shown(found['price'])} for {shown(found['plan_name'])}", yes=yes)
        done = api.post(f"{_path(order)}/reverse", {"reason": reason}, again=True)
    _tell(done, as_json=as_json)


def _path(order: str) -> str:
    return f"/orders/{id_of('order', order, 'fitmonitor order list MEMBER')}"


def _tell(order: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(order)
        return
    told = order | {"created": moment(order["created_at"]), "paid": moment(order["paid_at"])}
    told["refunded"] = order["refunded"] if order["refunded"]["amount"] else ""
    names = ("id", "state", "plan_name", "days", "price", "method", "refunded", "created", "paid", "url", "problem")
    print_fields(told, *names)
    for each in order["invoices"]:
        print_plain(f"{each['kind']} {each['number']}  {each['id']}")
    for each in order["refunds"]:
        back = shown({"amount": each["amount"], "currency": order["price"]["currency"]})
        print_plain(f"refund {back}  {each['state']}  {each['days']} days  {shown(each['reason'])}")
