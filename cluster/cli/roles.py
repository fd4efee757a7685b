"""`fitmonitor role`: who is staff, who is admin."""

from typing import Annotated

import typer

from cluster.cli.api.assent import ask_first
from cluster.cli.api.connection import connected
from cluster.cli.api.lookup import address_of, the_user
from cluster.cli.api.options import AsJson, MemberArgument, Yes, group
from cluster.cli.output import print_json, print_plain
from domain.identity.model import Role

app = group("Who is staff, who is admin. Admin includes Staff, Staff includes User.")

RoleArgument = Annotated[Role, typer.Argument(help="The role.", show_default=False)]


@app.command("list")
def list_roles(user: MemberArgument, *, as_json: AsJson = False) -> None:
    """List the roles that a user was given; who has a role: `fitmonitor user list --role Staff`.

    Example: fitmonitor role list olga@example.org
    """
    with connected() as api:
        roles = the_user(api, user)["roles"]
    if as_json:
        print_json(roles)
    else:
        for role in roles:
            print_plain(role)


@app.command()
def give(user: MemberArgument, role: RoleArgument, *, as_json: AsJson = False) -> None:
    """Give a role. It counts from the user's next token on.

    Example: fitmonitor role give olga@example.org Staff
    """
    with connected() as api:
        done = api.put(f"/users/{the_user(api, user)['id']}/roles/{role.value}")
    if as_json:
        print_json(done)
    else:
        print_plain(f"{address_of(done)}: {', '.join(done['roles'])}; it counts from the next token on.")


@app.command()
def take(user: MemberArgument, role: RoleArgument, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Take a role; everywhere within 5 s. Not the last admin's.

    Example: fitmonitor role take olga@example.org Staff --yes
    """
    with connected() as api:
        found = the_user(api, user)
        ask_first(f"take the role {role.value} from {address_of(found)}", yes=yes)
        done = api.delete(f"/users/{found['id']}/roles/{role.value}")
    if as_json:
        print_json(done)
    else:
        print_plain(f"{address_of(done)}: {', '.join(done['roles']) or 'no role'}.")
