"""`fitmonitor attendance`: the attendance archive."""

import typer

from cluster.cli.attendance_archive import add_archive_commands

app = typer.Typer(no_args_is_help=True, help="The attendance archive: backfill it from the database, verify it.")
add_archive_commands(app)
