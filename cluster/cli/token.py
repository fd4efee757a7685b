"""`fitmonitor token`: prints an access token of the local identity provider."""

from datetime import timedelta
from typing import Annotated

import typer

from cluster.cli.api.local_users import find_local_user
from cluster.cli.output import print_json, print_plain
from cluster.errors import CommandError
from cluster.settings_file import stack_settings
from domain.clock import system_clock
from integrations.local_identity.keys import NoLocalIdentityError
from integrations.local_identity.tokens import mint_access_token


def token(
    email: Annotated[str, typer.Argument(help="The user's email address.", show_default=False)],
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 365, help="How long the token is valid.")] = 8,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print user id, roles and expiry, too.")] = False,
) -> None:
    """Print an access token for a user of this stack, or for an account that has not signed in yet.

    It works with the local identity provider only. The token starts a session, as a sign-in does.

    Example: curl -H "Authorization: Bearer $(fitmonitor token admin@demo.example)" http://127.0.0.1:8000/api/me
    """
    settings = stack_settings()
    user = find_local_user(settings, email)
    lifetime = timedelta(hours=hours)
    try:
        token = mint_access_token(settings, sub=user.id, email=user.email, groups=user.roles, lifetime=lifetime)
    except NoLocalIdentityError as error:
        raise CommandError(str(error), "start the embedded or the full profile with `fitmonitor up`") from error
    if as_json:
        expires_at = system_clock() + lifetime
        print_json({"token": token, "user_id": user.id, "roles": user.roles, "expires_at": expires_at})
    else:
        print_plain(token)
