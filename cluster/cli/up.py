"""`fitmonitor up`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from cluster.errors import CommandError
from cluster.local.folders import serve_config_file
from cluster.local.progress import Progress
from cluster.local.stack import StackOptions, StoppedError
from cluster.local.supervisor import Supervisor
from integrations.settings import Profile, Settings


def up(
    profile: Annotated[
        Profile | None, typer.Option(help="Which parts: embedded needs no server; full brings MariaDB and Kafka.")
    ] = None,
    *,
    demo: Annotated[bool, typer.Option("--demo", help="Fill an empty store with gyms and members to try.")] = False,
    serve_config: Annotated[
        Path | None, typer.Option(help="A Serve configuration in place of the shipped one.")
    ] = None,
) -> None:
    """Start the stack of FITMONITOR_DATA_DIR in the foreground.

    Example: fitmonitor up --profile full --demo
    """
    if profile is not None:
        os.environ["FITMONITOR_PROFILE"] = profile
    settings = Settings()
    if settings.profile is Profile.PRODUCTION:
        raise CommandError("up is for one machine", "use --profile embedded or --profile full")
    options = StackOptions(settings, serve_config or serve_config_file(), demo=demo)
    try:
        Supervisor(options, Progress()).run()
    except StoppedError:
        raise typer.Exit(130) from None
