"""`fitmonitor member`: members, their memberships, freezes, bans, visits and ledger."""

from typing import Annotated, Any

import typer

from cluster.cli.api.client import Api
from cluster.cli.api.connection import connected
from cluster.cli.api.errors import UsageError
from cluster.cli.api.lookup import email_or_id, find_user
from cluster.cli.api.options import AsJson, Key, Limit, MemberArgument, Yes, command_group, confirm
from cluster.cli.output import local_time, parsed_time, print_fields, print_json, print_list, print_plain, printable
from cluster.cli.users import Search, State
from domain.identity.model import Role
from domain.ids import new_id

app = command_group("Members: their memberships, freezes, bans, visits and ledger.")

_REASON = "Why; kept in the ledger."


@app.command("list")
def list_members(search: Search = "", state: State = None, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """List members.

    Example: fitmonitor member list albers --limit 20
    """
    with connected() as api:
        found = api.all("/users", limit, search=search or None, role=Role.USER, state=state)
    print_list(
        found.items,
        {"id": "id", "state": "state", "email": lambda user: user["email"] or "-", "name": "name"},
        as_json=as_json,
        more=found.more,
    )


@app.command()
def show(member: MemberArgument, *, as_json: AsJson = False) -> None:
    """Show a member: the account, the memberships, where the member is inside.

    Example: fitmonitor member show ada.albers@demo.example
    """
    with connected() as api:
        user = find_user(api, member)
        membership = api.get(f"/members/{user['id']}/membership")
        newest = api.all(f"/users/{user['id']}/visits", 1).items
        visit = newest[0] if newest and newest[0]["left_at"] is None else None
        gym = api.get(f"/gyms/{visit['gym_id']}") if visit else None
    if as_json:
        print_json({"user": user, "membership": membership, "inside": visit})
        return
    inside = f"{gym['name']}, since {local_time(visit['entered_at'])}" if gym and visit else "no"
    fields = user | {"inside": inside, "membership": _state(membership)}
    print_fields(fields, "id", "email", "name", "roles", "state", "inside", "membership")
    _print_each(membership)


@app.command()
def freeze(
    member: MemberArgument,
    days: Annotated[int, typer.Argument(min=1, help="Number of whole days.", show_default=False)],
    from_day: Annotated[
        str | None,
        typer.Option("--from", metavar="DAY", help="First day, like 2026-08-01 (default: today).", show_default=False),
    ] = None,
    reason: Annotated[str, typer.Option(help=_REASON)] = "",
    key: Key = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Freeze a membership for whole days: the member cannot enter, and the end moves by the same number of days.

    Example: fitmonitor member freeze ada.albers@demo.example 14 --reason "broken leg"
    """
    with connected() as api:
        body = {"days": days, "from_day": from_day, "reason": reason}
        done = api.post(f"/members/{find_user(api, member)['id']}/freezes", body, key=key or str(new_id()))
    _print(done, as_json=as_json)


@app.command()
def unfreeze(member: MemberArgument, *, as_json: AsJson = False) -> None:
    """End a freeze early, or cancel one that has not begun. The end moves back by the days left of it.

    Example: fitmonitor member unfreeze ada.albers@demo.example
    """
    with connected() as api:
        done = api.delete(f"/members/{find_user(api, member)['id']}/freezes/current")
    _print(done, as_json=as_json)


@app.command()
def ban(
    member: MemberArgument,
    reason: Annotated[str, typer.Option(help=_REASON, show_default=False)],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Ban a member from all gyms. Idempotent.

    Example: fitmonitor member ban mia@example.org --reason "threw weights" --yes
    """
    with connected() as api:
        user = find_user(api, member)
        confirm(f"ban {printable(user['name'])} ({email_or_id(user)}) from all gyms", yes=yes)
        done = api.put(f"/members/{user['id']}/ban", {"reason": reason})
    _print(done, as_json=as_json)


@app.command()
def unban(member: MemberArgument, *, as_json: AsJson = False) -> None:
    """Lift a ban. Idempotent.

    Example: fitmonitor member unban mia@example.org
    """
    with connected() as api:
        done = api.delete(f"/members/{find_user(api, member)['id']}/ban")
    _print(done, as_json=as_json)


@app.command()
def adjust(
    member: MemberArgument,
    days: Annotated[int, typer.Option(help="Days to add; a negative number removes unused days.")],
    reason: Annotated[str, typer.Option(help=_REASON, show_default=False)],
    membership: Annotated[
        str, typer.Option(metavar="ID", help="The membership, for a member with several.", show_default=False)
    ] = "",
    key: Key = "",
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Add days to a membership, or remove unused ones.

    Example: fitmonitor member adjust ada.albers@demo.example --days 7 --reason "the sauna was closed" --yes
    """
    with connected() as api:
        user = find_user(api, member)
        membership_id = membership or _only_membership(api, user)
        action = f"add {days} days for" if days >= 0 else f"remove {-days} days from"
        confirm(f"{action} {printable(user['name'])} ({email_or_id(user)})", yes=yes)
        body = {"membership_id": membership_id, "days": days, "reason": reason}
        done = api.post(f"/members/{user['id']}/adjustments", body, key=key or str(new_id()))
    _print(done, as_json=as_json)


@app.command()
def visits(member: MemberArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """List a member's visits, newest first. A visit without an exit scan names the rule that ended it.

    Example: fitmonitor member visits ada.albers@demo.example --limit 10
    """
    with connected() as api:
        found = api.all(f"/users/{find_user(api, member)['id']}/visits", limit)
        gym_ids = set() if as_json else {visit["gym_id"] for visit in found.items}
        gyms = {gym_id: api.get(f"/gyms/{gym_id}")["name"] for gym_id in gym_ids}
    print_list(
        found.items,
        {
            "id": "id",
            "gym": lambda visit: gyms[visit["gym_id"]],
            "entered": lambda visit: parsed_time(visit["entered_at"]),
            "left": lambda visit: parsed_time(visit["left_at"]) or "inside",
            "ended by": lambda visit: visit["inferred"] or "",
        },
        as_json=as_json,
        more=found.more,
    )


@app.command()
def ledger(member: MemberArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """List every change of a member's memberships, newest first.

    Example: fitmonitor member ledger ada.albers@demo.example
    """
    with connected() as api:
        found = api.all(f"/members/{find_user(api, member)['id']}/ledger", limit)
    print_list(
        found.items,
        {
            "day": "booked_on",
            "kind": "kind",
            "days": lambda entry: f"{entry['days']:+}",
            "period": lambda entry: f"{entry['from_day']} to {entry['until_day']}" if entry["from_day"] else "",
            "money": "money",
            "reason": "reason",
        },
        as_json=as_json,
        more=found.more,
    )


def _only_membership(api: Api, user: dict[str, Any]) -> str:
    memberships = api.get(f"/members/{user['id']}/membership")["memberships"]
    if len(memberships) != 1:
        listed = ", ".join(f"{each['id']} ({printable(each['plan_name'])})" for each in memberships)
        raise UsageError(
            f"{email_or_id(user)} has {len(memberships) or 'no'} memberships",
            f"choose one with --membership: {listed}"
            if memberships
            else "sell a plan with `fitmonitor order desk MEMBER PLAN`",
        )
    only: str = memberships[0]["id"]
    return only


def _print(membership: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(membership)
    else:
        print_plain(f"membership  {_state(membership)}")
        _print_each(membership)


def _state(membership: dict[str, Any]) -> str:
    remedy = f" (remedy: {membership['remedy']})" if membership["remedy"] else ""
    return f"{membership['state']}{remedy}"


def _print_each(membership: dict[str, Any]) -> None:
    for each in membership["memberships"]:
        frozen = f", frozen {each['freeze']['from_day']} to {each['freeze']['until_day']}" if each["freeze"] else ""
        dates = f"{each['starts_on']} to {each['ends_on']}, {each['days_left']} days left"
        print_plain(f"  {each['id']}  {printable(each['plan_name'])}: {each['state']}, {dates}{frozen}")
