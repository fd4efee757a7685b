"""`fitmonitor token`: an access token of the local identity provider."""

from datetime import timedelta
from typing import Annotated

import typer

from cluster.cli.database import reading
from cluster.cli.output import print_json, print_plain
from cluster.errors import CommandError
from cluster.settings_file import stack_settings
from domain.clock import system_clock
from domain.identity.repository import UserRepository
from integrations.local_identity import NoLocalIdentityError, mint_access_token


def token(
    email: Annotated[str, typer.Argument(help="The address of a user, as in the demo's file.", show_default=False)],
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 365, help="How long the token is good.")] = 8,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="With the user's id, the roles and the end.")] = False,
) -> None:
    """Print an access token for a user of this stack; the local provider only.

    Example: curl -H "Authorization: Bearer $(fitmonitor token admin@demo.example)" http://127.0.0.1:8000/api/me
    """
    settings = stack_settings()
    with reading(settings) as connection:
        users = UserRepository(connection)
        user = users.user_of(email.strip().lower())
        roles = users.roles(user.id) if user else frozenset()
    if user is None:
        raise CommandError("no user of this stack has that address", "the demo's are in demo.json of its data folder")
    lifetime = timedelta(hours=hours)
    try:
        minted = mint_access_token(settings, sub=user.id, email=user.email, groups=roles, lifetime=lifetime)
    except NoLocalIdentityError as error:
        raise CommandError(str(error), "start the embedded or the full profile with `fitmonitor up`") from error
    if as_json:
        expires_at = system_clock() + lifetime
        print_json({"token": minted, "user_id": user.id, "roles": sorted(roles), "expires_at": expires_at})
    else:
        print_plain(minted)
