"""`fitmonitor reconcile`: does everything that says who is inside agree?"""

from typing import Annotated

import typer

from cluster.cli.database import reading
from cluster.cli.output import print_json, print_plain
from cluster.settings_file import stack_settings
from domain.door.reconcile import disagreements

DISAGREE = 3


def reconcile(
    *, as_json: Annotated[bool, typer.Option("--json", help="A list, empty where all agrees.")] = False
) -> None:
    """Hold visits, open visits and scans against each other. Nothing is mended; ends with 3 if they disagree.

    Example: fitmonitor reconcile --json
    """
    with reading(stack_settings()) as connection:
        found = disagreements(connection)
    if as_json:
        print_json(found)
    elif not found:
        print_plain("Visits, open visits and scans agree.")
    else:
        for each in found:
            print_plain(f"{each.kind}  gym {each.gym_id or '-'}  {each.detail}")
    if found:
        raise typer.Exit(DISAGREE)
