"""`fitmonitor user`: accounts."""

from typing import Annotated, Any

import typer

from cluster.cli.api.assent import ask_first
from cluster.cli.api.connection import connected
from cluster.cli.api.lookup import address_of, the_user
from cluster.cli.api.options import AsJson, Limit, MemberArgument, Yes, group
from cluster.cli.output import moment, print_fields, print_json, print_list, print_plain, shown
from domain.identity.model import Role, UserState

app = group("Accounts: find, disable, delete.")

State = Annotated[UserState | None, typer.Option(help="Those whose account stands so.", show_default=False)]


@app.command("list")
def list_users(
    search: Annotated[
        str, typer.Argument(help="How an address, a name or a word of it begins.", show_default=False)
    ] = "",
    role: Annotated[Role | None, typer.Option(help="Those who were given this role.", show_default=False)] = None,
    state: State = None,
    limit: Limit = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List accounts that have signed in once.

    Example: fitmonitor user list --role Admin
    """
    with connected() as api:
        found = api.all("/users", limit, search=search or None, role=role, state=state)
    print_list(
        found.items,
        lambda user: (user["id"], user["state"], "+".join(user["roles"]) or "-", user["email"] or "-", user["name"]),
        as_json=as_json,
        more=found.more,
    )


@app.command()
def show(user: MemberArgument, *, as_json: AsJson = False) -> None:
    """Show an account.

    Example: fitmonitor user show olga@example.org
    """
    with connected() as api:
        found = the_user(api, user)
    _tell(found, as_json=as_json)


@app.command()
def disable(user: MemberArgument, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Disable an account: its sessions and passes are refused within 5 s.

    Example: fitmonitor user disable mia@example.org --yes
    """
    with connected() as api:
        found = the_user(api, user)
        ask_first(f"disable the account {_called(found)}: it can neither sign in nor enter", yes=yes)
        done = api.post(f"/users/{found['id']}/disable", again=True)
    _tell(done, as_json=as_json)


@app.command()
def enable(user: MemberArgument, *, as_json: AsJson = False) -> None:
    """Enable an account again.

    Example: fitmonitor user enable mia@example.org
    """
    with connected() as api:
        done = api.post(f"/users/{the_user(api, user)['id']}/enable", again=True)
    _tell(done, as_json=as_json)


@app.command()
def delete(user: MemberArgument, *, yes: Yes = False) -> None:
    """Delete an account as its owner could. Invoices, the ledger and visits without a name stay.

    Example: fitmonitor user delete mia@example.org --yes
    """
    with connected() as api:
        found = the_user(api, user)
        ask_first(f"delete the account {_called(found)}, which cannot be undone", yes=yes)
        api.delete(f"/users/{found['id']}")
    print_plain(f"{_called(found)} is deleted.")


@app.command()
def history(user: MemberArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """Show what was done to an account and by whom, the newest first.

    Example: fitmonitor user history mia@example.org --limit 10
    """
    with connected() as api:
        found = api.all(f"/users/{the_user(api, user)['id']}/history", limit)
    print_list(
        found.items,
        lambda change: (
            moment(change["at"]),
            change["what"],
            change["detail"],
            f"by {change['by_id'] or 'the system'}",
        ),
        as_json=as_json,
        more=found.more,
    )


def _called(user: dict[str, Any]) -> str:
    return shown(f"{user['name']} ({address_of(user)})")


def _tell(user: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(user)
    else:
        told = user | {"created": moment(user["created_at"])}
        print_fields(told, "id", "email", "name", "roles", "state", "created")
