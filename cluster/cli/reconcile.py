"""`fitmonitor reconcile`: checks that visits, open visits and scans agree."""

from typing import Annotated

import typer

from cluster.cli.database import reading
from cluster.cli.output import Columns, print_list, print_plain
from cluster.errors import ExitCode
from cluster.settings_file import stack_settings
from domain.door.reconcile import disagreements


def reconcile(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print the disagreements as a JSON list.")] = False
) -> None:
    """Check that visits, open visits and scans agree. It changes nothing. Exit code 3: they disagree.

    Example: fitmonitor reconcile --json
    """
    with reading(stack_settings()) as connection:
        found = disagreements(connection)
    if found or as_json:
        columns: Columns = {"kind": "kind", "gym": lambda each: each.gym_id or "-", "detail": "detail"}
        print_list(found, columns, as_json=as_json)
    else:
        print_plain("Visits, open visits and scans agree.")
    if found:
        raise typer.Exit(ExitCode.ATTENTION)
