"""`fitmonitor role`: the roles of users."""

from typing import Annotated

import typer

from cluster.cli.api.connection import connected
from cluster.cli.api.lookup import email_or_id, find_user
from cluster.cli.api.options import AsJson, MemberArgument, Yes, command_group, confirm
from cluster.cli.output import print_list, print_result
from domain.identity.model import Role

app = command_group("Roles of users. Admin includes Staff, Staff includes User.")

RoleArgument = Annotated[Role, typer.Argument(help="The role.", show_default=False)]


@app.command("list")
def list_roles(user: MemberArgument, *, as_json: AsJson = False) -> None:
    """List the roles of a user. To list the users of a role: `fitmonitor user list --role Staff`.

    Example: fitmonitor role list olga@example.org
    """
    with connected() as api:
        roles = find_user(api, user)["roles"]
    print_list(roles, {"role": str}, as_json=as_json)


@app.command()
def give(user: MemberArgument, role: RoleArgument, *, as_json: AsJson = False) -> None:
    """Give a role to a user. It applies from the user's next access token.

    Example: fitmonitor role give olga@example.org Staff
    """
    with connected() as api:
        done = api.put(f"/users/{find_user(api, user)['id']}/roles/{role.value}")
    print_result(done, f"{email_or_id(done)}: {', '.join(done['roles'])}, from the next access token.", as_json=as_json)


@app.command()
def take(user: MemberArgument, role: RoleArgument, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove a role from a user, effective within 5 s. The last admin keeps the role Admin.

    Example: fitmonitor role take olga@example.org Staff --yes
    """
    with connected() as api:
        found = find_user(api, user)
        confirm(f"remove the role {role.value} from {email_or_id(found)}", yes=yes)
        done = api.delete(f"/users/{found['id']}/roles/{role.value}")
    print_result(done, f"{email_or_id(done)}: {', '.join(done['roles']) or 'no role'}.", as_json=as_json)
