"""`fitmonitor plan`: the plans on sale."""

from typing import Annotated, Any

import typer

from cluster.cli.api.client import Api
from cluster.cli.api.connection import connected
from cluster.cli.api.errors import UsageError
from cluster.cli.api.lookup import find_gym, find_plan
from cluster.cli.api.options import AsJson, Key, Limit, Retired, Version, Yes, command_group, confirm
from cluster.cli.api.prices import parse_price
from cluster.cli.output import (
    Columns,
    local_time,
    print_document,
    print_list,
    print_plain,
    print_result,
    printable,
)
from domain.ids import new_id

app = command_group("Plans: what members can buy.")

PlanArgument = Annotated[str, typer.Argument(metavar="PLAN", help="The plan's id or name.", show_default=False)]
Gyms = Annotated[
    list[str] | None,
    typer.Option("--gym", metavar="GYM", help="Valid at this gym only; repeat it for more.", show_default=False),
]
_NAME, _DAYS = "The name that members see.", "How many whole days it lasts."
_PRICE = "The price including VAT, like 25.00."
_GRACE = "How many days after its end the door still opens."


@app.command("list")
def list_plans(*, retired: Retired = False, limit: Limit = None, as_json: AsJson = False) -> None:
    """List plans.

    Example: fitmonitor plan list
    """
    with connected() as api:
        found = api.all("/plans", limit, retired=retired)
    columns: Columns = {"id": "id", "days": "days", "price": "price", "valid at": _valid_at, "name": "name"}
    print_list(found.items, columns, as_json=as_json, more=found.more)


@app.command()
def show(plan: PlanArgument, *, as_json: AsJson = False) -> None:
    """Show a plan, on sale or retired.

    Example: fitmonitor plan show "90 days"
    """
    with connected() as api:
        found = find_plan(api, plan)
    _print(found, as_json=as_json)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help=_NAME, show_default=False)],
    days: Annotated[int, typer.Option(help=_DAYS, show_default=False)],
    price: Annotated[str, typer.Option(help=_PRICE, show_default=False)],
    currency: Annotated[str, typer.Option(help="The currency of the price.")] = "EUR",
    grace_days: Annotated[int, typer.Option(help=_GRACE)] = 3,
    gyms: Gyms = None,
    key: Key = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Create a plan and put it on sale. It is valid at all gyms unless you name some.

    Example: fitmonitor plan create "90 days" --days 90 --price 25.00
    """
    body: dict[str, Any] = {
        "name": name,
        "days": days,
        "price": parse_price(price, currency),
        "grace_days": grace_days,
    }
    with connected() as api:
        created = api.post("/plans", body | _gyms(api, gyms or []), key=key or str(new_id()))
    print_result(
        created,
        f"{printable(created['name'])} is plan {created['id']}, at {printable(created['price'])}.",
        as_json=as_json,
    )


@app.command()
def change(
    plan: PlanArgument,
    name: Annotated[str | None, typer.Option(help=_NAME, show_default=False)] = None,
    days: Annotated[int | None, typer.Option(help=_DAYS, show_default=False)] = None,
    price: Annotated[str | None, typer.Option(help=_PRICE, show_default=False)] = None,
    grace_days: Annotated[int | None, typer.Option(help=_GRACE, show_default=False)] = None,
    gyms: Gyms = None,
    version: Version = None,
    *,
    all_gyms: Annotated[bool, typer.Option("--all-gyms", help="Valid at all gyms.")] = False,
    as_json: AsJson = False,
) -> None:
    """Change a plan for future buyers. Once it was sold, only its name and price can change.

    Example: fitmonitor plan change "90 days" --price 27.00
    """
    changes: dict[str, Any] = {"name": name, "days": days, "grace_days": grace_days}
    changes = {field: value for field, value in changes.items() if value is not None}
    if not (changes or price or gyms or all_gyms):
        raise UsageError("there is nothing to change", "see `fitmonitor plan change --help`")
    if gyms and all_gyms:
        raise UsageError("--gym and --all-gyms exclude each other", "leave one of them out")
    with connected() as api:
        path = f"/plans/{find_plan(api, plan)['id']}"
        read = api.read(path)
        if price is not None:
            changes["price"] = parse_price(price, read.document["price"]["currency"])
        if gyms or all_gyms:
            changes |= _gyms(api, gyms or [])
        changed = api.patch(path, changes, read.etag_of(version))
    _print(changed, as_json=as_json)


@app.command()
def retire(plan: PlanArgument, version: Version = None, *, yes: Yes = False) -> None:
    """Take a plan off sale. Memberships that were bought stay valid.

    Example: fitmonitor plan retire "90 days" --yes
    """
    with connected() as api:
        path = f"/plans/{find_plan(api, plan)['id']}"
        read = api.read(path)
        name = printable(read.document["name"])
        confirm(f"take the plan {name} off sale", yes=yes)
        api.delete(path, read.etag_of(version))
    print_plain(f"{name} is off sale.")


@app.command()
def reopen(plan: PlanArgument, *, as_json: AsJson = False) -> None:
    """Put a retired plan back on sale.

    Example: fitmonitor plan reopen "90 days"
    """
    with connected() as api:
        done = api.post(f"/plans/{find_plan(api, plan, retired=True)['id']}/reopen", repeatable=True)
    print_result(done, f"{printable(done['name'])} is on sale.", as_json=as_json)


def _gyms(api: Api, gyms: list[str]) -> dict[str, Any]:
    return {"covers_all_gyms": not gyms, "gyms": [find_gym(api, gym)["id"] for gym in gyms]}


def _valid_at(plan: Any) -> str:  # noqa: ANN401 - a document
    number = len(plan["gyms"])
    return "all gyms" if plan["covers_all_gyms"] else f"{number} gym{'s' if number > 1 else ''}"


def _print(plan: dict[str, Any], *, as_json: bool) -> None:
    print_document(
        plan,
        *("id", "name", "days", "price", "grace_days", "valid_at", "retired", "version"),
        as_json=as_json,
        valid_at="all gyms" if plan["covers_all_gyms"] else plan["gyms"],
        retired=local_time(plan["retired_at"]),
    )
