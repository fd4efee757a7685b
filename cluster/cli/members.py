"""`fitmonitor member`: what members have, and what the staff decide about it."""

from typing import Annotated, Any

import typer

from cluster.cli.api.assent import ask_first
from cluster.cli.api.client import Api
from cluster.cli.api.connection import connected
from cluster.cli.api.errors import WrongUseError
from cluster.cli.api.lookup import address_of, the_user
from cluster.cli.api.options import AsJson, Key, Limit, MemberArgument, Yes, group
from cluster.cli.member_records import ledger, visits
from cluster.cli.output import moment, print_fields, print_json, print_list, print_plain, shown
from cluster.cli.users import State
from domain.identity.model import Role
from domain.ids import new_id

app = group("Members: their membership, freezes, ban, visits.")


@app.command("list")
def list_members(
    search: Annotated[
        str, typer.Argument(help="How an address, a name or a word of it begins.", show_default=False)
    ] = "",
    state: State = None,
    limit: Limit = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List members, or search them.

    Example: fitmonitor member list albers --limit 20
    """
    with connected() as api:
        found = api.all("/users", limit, search=search or None, role=Role.USER, state=state)
    print_list(
        found.items,
        lambda user: (user["id"], user["state"], user["email"] or "-", user["name"]),
        as_json=as_json,
        more=found.more,
    )


@app.command()
def show(member: MemberArgument, *, as_json: AsJson = False) -> None:
    """Show a member: the account, what they have and until when, and where they are inside.

    Example: fitmonitor member show ada.albers@demo.example
    """
    with connected() as api:
        user = the_user(api, member)
        held = api.get(f"/members/{user['id']}/membership")
        newest = api.all(f"/users/{user['id']}/visits", 1).items
        visit = newest[0] if newest and newest[0]["left_at"] is None else None
        gym = api.get(f"/gyms/{visit['gym_id']}") if visit else None
    if as_json:
        print_json({"user": user, "membership": held, "inside": visit})
        return
    print_fields(user, "id", "email", "name", "roles", "state")
    print_plain(
        f"inside      {shown(gym['name']) if gym else 'no'}"
        + (f", since {moment(visit['entered_at'])}" if visit else "")
    )
    _tell_held(held)


@app.command()
def freeze(
    member: MemberArgument,
    days: Annotated[int, typer.Argument(min=1, help="Whole days without entry.", show_default=False)],
    from_day: Annotated[
        str | None,
        typer.Option("--from", metavar="DAY", help="As in 2026-08-01; today without it.", show_default=False),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")] = "",
    key: Key = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Freeze a membership for whole days: no entry, and the end moves by as many.

    Example: fitmonitor member freeze ada.albers@demo.example 14 --reason "broken leg"
    """
    with connected() as api:
        body = {"days": days, "from_day": from_day, "reason": reason}
        done = api.post(f"/members/{the_user(api, member)['id']}/freezes", body, key=key or str(new_id()))
    _told(done, as_json=as_json)


@app.command()
def unfreeze(member: MemberArgument, *, as_json: AsJson = False) -> None:
    """End a freeze, begun or not: what is left of it comes off the end.

    Example: fitmonitor member unfreeze ada.albers@demo.example
    """
    with connected() as api:
        done = api.delete(f"/members/{the_user(api, member)['id']}/freezes/current")
    _told(done, as_json=as_json)


@app.command()
def ban(
    member: MemberArgument,
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.", show_default=False)],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let somebody in nowhere any more.

    Example: fitmonitor member ban mia@example.org --reason "threw weights" --yes
    """
    with connected() as api:
        user = the_user(api, member)
        ask_first(f"let {shown(user['name'])} ({address_of(user)}) in nowhere any more", yes=yes)
        done = api.put(f"/members/{user['id']}/ban", {"reason": reason})
    _told(done, as_json=as_json)


@app.command()
def unban(member: MemberArgument, *, as_json: AsJson = False) -> None:
    """Let somebody in again.

    Example: fitmonitor member unban mia@example.org
    """
    with connected() as api:
        done = api.delete(f"/members/{the_user(api, member)['id']}/ban")
    _told(done, as_json=as_json)


@app.command()
def adjust(
    member: MemberArgument,
    days: Annotated[int, typer.Option(help="Days to give; negative: to take back, as far as unused.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.", show_default=False)],
    membership: Annotated[
        str, typer.Option(metavar="ID", help="Which one, where there are several.", show_default=False)
    ] = "",
    key: Key = "",
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give days, or take back such as are unused.

    Example: fitmonitor member adjust ada.albers@demo.example --days 7 --reason "the sauna was closed" --yes
    """
    with connected() as api:
        user = the_user(api, member)
        which = membership or _only_one(api, user)
        what = f"give {days} days to" if days >= 0 else f"take {-days} days from"
        ask_first(f"{what} {shown(user['name'])} ({address_of(user)})", yes=yes)
        body = {"membership_id": which, "days": days, "reason": reason}
        done = api.post(f"/members/{user['id']}/adjustments", body, key=key or str(new_id()))
    _told(done, as_json=as_json)


def _only_one(api: Api, user: dict[str, Any]) -> str:
    held = api.get(f"/members/{user['id']}/membership")["memberships"]
    if len(held) != 1:
        which = ", ".join(f"{each['id']} ({each['plan_name']})" for each in held)
        raise WrongUseError(
            f"{address_of(user)} has {len(held) or 'no'} memberships",
            f"name one by --membership: {which}" if held else "sell a plan: `fitmonitor order desk MEMBER PLAN`",
        )
    only: str = held[0]["id"]
    return only


def _told(held: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(held)
    else:
        _tell_held(held)


def _tell_held(held: dict[str, Any]) -> None:
    remedy = f" (what would help: {held['remedy']})" if held["remedy"] else ""
    print_plain(f"membership  {held['state']}{remedy}")
    for each in held["memberships"]:
        frozen = f", frozen {each['freeze']['from_day']} to {each['freeze']['until_day']}" if each["freeze"] else ""
        dates = f"{each['starts_on']} to {each['ends_on']}, {each['days_left']} days left"
        print_plain(f"  {each['id']}  {shown(each['plan_name'])}: {each['state']}, {dates}{frozen}")


app.command()(visits)
app.command()(ledger)
