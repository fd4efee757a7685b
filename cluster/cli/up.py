"""`fitmonitor up`: starts the stack in the foreground."""

import os
from pathlib import Path
from typing import Annotated

import typer

from cluster.errors import CommandError, ExitCode
from cluster.local.folders import serve_config_file
from cluster.local.progress import Progress
from cluster.local.stack import StackOptions, StoppedError
from cluster.local.supervisor import Supervisor
from cluster.settings_file import warn_of_deprecated_settings
from integrations.settings import Profile, Settings


def up(
    profile: Annotated[
        Profile | None,
        typer.Option(
            help="embedded needs no servers, full starts MariaDB and Kafka (default: FITMONITOR_PROFILE or embedded)."
        ),
    ] = None,
    *,
    demo: Annotated[
        bool, typer.Option("--demo", help="Fill an empty database with demo gyms, members and accounts.")
    ] = False,
    serve_config: Annotated[
        Path | None, typer.Option(help="Use this Ray Serve configuration instead of serve_config.yaml.")
    ] = None,
) -> None:
    """Start the stack of the data folder FITMONITOR_DATA_DIR in the foreground. Ctrl-C stops it.

    Example: fitmonitor up --profile full --demo
    """
    if profile is not None:
        os.environ["FITMONITOR_PROFILE"] = profile
    warn_of_deprecated_settings()
    settings = Settings()
    if settings.profile is Profile.PRODUCTION:
        raise CommandError(
            "`fitmonitor up` runs a stack on one machine, not in production", "add --profile embedded or --profile full"
        )
    options = StackOptions(settings, serve_config or serve_config_file(), demo=demo)
    try:
        Supervisor(options, Progress()).run()
    except StoppedError:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
