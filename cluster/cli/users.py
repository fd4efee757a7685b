"""`fitmonitor user`: user accounts."""

from typing import Annotated, Any

import typer

from cluster.cli.api.connection import connected
from cluster.cli.api.lookup import email_or_id, find_user
from cluster.cli.api.options import AsJson, Limit, MemberArgument, Yes, command_group, confirm
from cluster.cli.output import local_time, parsed_time, print_document, print_list, print_plain, printable
from domain.identity.model import Role, UserState

app = command_group("User accounts: find, disable, enable and delete them.")

Search = Annotated[
    str,
    typer.Argument(help="The beginning of an email address, a name or a word of a name.", show_default=False),
]
State = Annotated[UserState | None, typer.Option(help="Only accounts in this state.", show_default=False)]


@app.command("list")
def list_users(
    search: Search = "",
    role: Annotated[Role | None, typer.Option(help="Only users with this role.", show_default=False)] = None,
    state: State = None,
    limit: Limit = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List user accounts. An account is listed after its first sign-in.

    Example: fitmonitor user list --role Admin
    """
    with connected() as api:
        found = api.all("/users", limit, search=search or None, role=role, state=state)
    print_list(
        found.items,
        {
            "id": "id",
            "state": "state",
            "roles": lambda user: "+".join(user["roles"]) or "-",
            "email": lambda user: user["email"] or "-",
            "name": "name",
        },
        as_json=as_json,
        more=found.more,
    )


@app.command()
def show(user: MemberArgument, *, as_json: AsJson = False) -> None:
    """Show a user account.

    Example: fitmonitor user show olga@example.org
    """
    with connected() as api:
        found = find_user(api, user)
    _print(found, as_json=as_json)


@app.command()
def disable(user: MemberArgument, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Disable an account: within 5 s its sessions and passes are refused.

    Example: fitmonitor user disable mia@example.org --yes
    """
    with connected() as api:
        found = find_user(api, user)
        confirm(f"disable the account of {_describe(found)}, who can then neither sign in nor enter", yes=yes)
        done = api.post(f"/users/{found['id']}/disable", repeatable=True)
    _print(done, as_json=as_json)


@app.command()
def enable(user: MemberArgument, *, as_json: AsJson = False) -> None:
    """Enable a disabled account.

    Example: fitmonitor user enable mia@example.org
    """
    with connected() as api:
        done = api.post(f"/users/{find_user(api, user)['id']}/enable", repeatable=True)
    _print(done, as_json=as_json)


@app.command()
def delete(user: MemberArgument, *, yes: Yes = False) -> None:
    """Delete an account with its personal data. Invoices, the ledger and anonymous visits are kept.

    Example: fitmonitor user delete mia@example.org --yes
    """
    with connected() as api:
        found = find_user(api, user)
        confirm(f"delete the account of {_describe(found)}, which cannot be undone", yes=yes)
        api.delete(f"/users/{found['id']}")
    print_plain(f"{_describe(found)} is deleted.")


@app.command()
def history(user: MemberArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """List the changes of an account, newest first: what, when and by whom.

    Example: fitmonitor user history mia@example.org --limit 10
    """
    with connected() as api:
        found = api.all(f"/users/{find_user(api, user)['id']}/history", limit)
    print_list(
        found.items,
        {
            "at": lambda change: parsed_time(change["at"]),
            "change": "what",
            "detail": "detail",
            "by": lambda change: change["by_id"] or "the system",
        },
        as_json=as_json,
        more=found.more,
    )


def _describe(user: dict[str, Any]) -> str:
    return printable(f"{user['name']} ({email_or_id(user)})")


def _print(user: dict[str, Any], *, as_json: bool) -> None:
    names = ("id", "email", "name", "roles", "state", "created")
    print_document(user, *names, as_json=as_json, created=local_time(user["created_at"]))
