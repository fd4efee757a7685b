"""`fitmonitor plan`: what is sold."""

from typing import Annotated, Any

import typer

from cluster.cli.api.assent import ask_first
from cluster.cli.api.client import Api
from cluster.cli.api.connection import connected
from cluster.cli.api.errors import WrongUseError
from cluster.cli.api.lookup import the_gym, the_plan
from cluster.cli.api.options import AsJson, Key, Limit, Retired, Version, Yes, group
from cluster.cli.api.prices import price_of
from cluster.cli.output import moment, print_fields, print_json, print_list, print_plain, shown
from domain.ids import new_id

app = group("Plans that can be bought.")

PlanArgument = Annotated[str, typer.Argument(metavar="PLAN", help="The plan's id or name.", show_default=False)]
Gyms = Annotated[
    list[str] | None,
    typer.Option("--gym", metavar="GYM", help="Good for this gym only; once for each.", show_default=False),
]
_PRICE = "Gross, as in 25.00."
_GRACE = "How long after the end the door still opens."


@app.command("list")
def list_plans(*, retired: Retired = False, limit: Limit = None, as_json: AsJson = False) -> None:
    """List what is sold.

    Example: fitmonitor plan list
    """
    with connected() as api:
        found = api.all("/plans", limit, retired=retired)
    print_list(
        found.items,
        lambda plan: (plan["id"], f"{plan['days']} days", plan["price"], _where(plan), plan["name"]),
        as_json=as_json,
        more=found.more,
    )


@app.command()
def show(plan: PlanArgument, *, as_json: AsJson = False) -> None:
    """Show a plan, also a retired one.

    Example: fitmonitor plan show "90 days"
    """
    with connected() as api:
        found = the_plan(api, plan)
    _tell(found, as_json=as_json)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What members buy.", show_default=False)],
    days: Annotated[int, typer.Option(help="Whole days that it lasts.", show_default=False)],
    price: Annotated[str, typer.Option(help=_PRICE, show_default=False)],
    currency: Annotated[str, typer.Option(help="Of the price.")] = "EUR",
    grace_days: Annotated[int, typer.Option(help=_GRACE)] = 3,
    gyms: Gyms = None,
    key: Key = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Sell a plan from now on, good for all gyms unless some are named.

    Example: fitmonitor plan create "90 days" --days 90 --price 25.00
    """
    body: dict[str, Any] = {
        "name": name,
        "days": days,
        "price": price_of(price, currency),
        "grace_days": grace_days,
    }
    with connected() as api:
        made = api.post("/plans", body | _covers(api, gyms or []), key=key or str(new_id()))
    if as_json:
        print_json(made)
    else:
        print_plain(f"{shown(made['name'])} is plan {made['id']}, at {shown(made['price'])}.")


@app.command()
def change(
    plan: PlanArgument,
    name: Annotated[str | None, typer.Option(help="What members buy.", show_default=False)] = None,
    days: Annotated[int | None, typer.Option(help="Whole days that it lasts.", show_default=False)] = None,
    price: Annotated[str | None, typer.Option(help=_PRICE, show_default=False)] = None,
    grace_days: Annotated[int | None, typer.Option(help=_GRACE, show_default=False)] = None,
    gyms: Gyms = None,
    version: Version = None,
    *,
    all_gyms: Annotated[bool, typer.Option("--all-gyms", help="Good for all gyms.")] = False,
    as_json: AsJson = False,
) -> None:
    """Change a plan for those who buy it from now on. Of one that was sold only name and price can change.

    Example: fitmonitor plan change "90 days" --price 27.00
    """
    changes: dict[str, Any] = {"name": name, "days": days, "grace_days": grace_days}
    changes = {field: value for field, value in changes.items() if value is not None}
    if not (changes or price or gyms or all_gyms):
        raise WrongUseError("nothing is to change", "see `fitmonitor plan change --help`")
    if gyms and all_gyms:
        raise WrongUseError("--gym and --all-gyms say different things", "leave one of them out")
    with connected() as api:
        path = f"/plans/{the_plan(api, plan)['id']}"
        read = api.read(path)
        if price is not None:
            changes["price"] = price_of(price, read.document["price"]["currency"])
        if gyms or all_gyms:
            changes |= _covers(api, gyms or [])
        changed = api.patch(path, changes, read.etag_of(version))
    _tell(changed, as_json=as_json)


@app.command()
def retire(plan: PlanArgument, version: Version = None, *, yes: Yes = False) -> None:
    """Sell a plan no more; those who have it keep it.

    Example: fitmonitor plan retire "90 days" --yes
    """
    with connected() as api:
        path = f"/plans/{the_plan(api, plan)['id']}"
        read = api.read(path)
        name = shown(read.document["name"])
        ask_first(f"sell {name} no more", yes=yes)
        api.delete(path, read.etag_of(version))
    print_plain(f"{name} is sold no more.")


@app.command()
def reopen(plan: PlanArgument, *, as_json: AsJson = False) -> None:
    """Sell a retired plan again.

    Example: fitmonitor plan reopen "90 days"
    """
    with connected() as api:
        done = api.post(f"/plans/{the_plan(api, plan, retired=True)['id']}/reopen", again=True)
    if as_json:
        print_json(done)
    else:
        print_plain(f"{shown(done['name'])} is sold.")


def _covers(api: Api, gyms: list[str]) -> dict[str, Any]:
    return {"covers_all_gyms": not gyms, "gyms": [the_gym(api, gym)["id"] for gym in gyms]}


def _where(plan: Any) -> str:  # noqa: ANN401 - a document
    return "all gyms" if plan["covers_all_gyms"] else f"{len(plan['gyms'])} gyms"


def _tell(plan: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(plan)
        return
    told = plan | {"where": "all gyms" if plan["covers_all_gyms"] else plan["gyms"]}
    told["retired"] = moment(plan["retired_at"])
    print_fields(told, "id", "name", "days", "price", "grace_days", "where", "retired", "version")
