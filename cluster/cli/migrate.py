"""`fitmonitor migrate`."""

import typer

from cluster.backup.schema import refuse_half_filled
from cluster.errors import CommandError
from cluster.settings_file import stack_settings
from domain.migrations.run import MigrationBusyError, upgrade


def migrate() -> None:
    """Bring the database of the running stack, or of the environment, up to date.

    Example: fitmonitor migrate
    """
    url = stack_settings().database.url.get_secret_value()
    if not url:
        raise CommandError("no database is named", "set FITMONITOR_DATABASE__URL or start the stack")
    refuse_half_filled(url)
    try:
        upgrade(url)
    except MigrationBusyError as error:
        raise CommandError(str(error), "wait until it has ended, and run this again") from error
    typer.echo("the database is up to date")
