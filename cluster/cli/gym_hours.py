"""`fitmonitor gym hours`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cluster.cli.api.connection import connected
from cluster.cli.api.files import read_text
from cluster.cli.api.lookup import the_gym
from cluster.cli.api.options import AsJson, GymArgument, Version
from cluster.cli.output import moment, print_json, print_plain, shown
from cluster.errors import CommandError

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def hours(
    gym: GymArgument,
    version: Version = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option(
            "--set", help="Set them to those of this file, as `--json` writes them; - reads what is piped in."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a gym's opening hours, or set them anew.

    Example: fitmonitor gym hours Riverside --json > hours.json; fitmonitor gym hours Riverside --set hours.json
    """
    wanted = None if file is None else _hours(file)
    with connected() as api:
        path = f"/gyms/{the_gym(api, gym)['id']}/opening-hours"
        read = api.read(path)
        document = read.document if wanted is None else api.put(path, wanted, etag=read.etag_of(version))
    if as_json:
        print_json(document)
        return
    for span in document["hours"]:
        print_plain(f"{_WEEKDAYS[span['weekday']]}  {span['opens']}-{span['closes']}")
    for one in document["exceptions"]:
        when = "closed" if one["closed"] else f"{one['opens']}-{one['closes']}"
        print_plain(f"{one['day']}  {when}  {shown(one['note'])}".rstrip())
    until = f" until {moment(document['next_change'])}" if document["next_change"] else ""
    print_plain(f"Now it is {'open' if document['open_now'] else 'closed'}{until}.")


def _hours(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(read_text(file))
    except ValueError as error:
        raise CommandError(f"{file} is no JSON ({error})", "see `fitmonitor gym hours GYM --json`") from error
    if not isinstance(read, dict):
        raise CommandError(f"{file} has no opening hours", "see `fitmonitor gym hours GYM --json`")
    # Of what `--json` writes the rest says how it stands now.
    return {name: read[name] for name in ("hours", "exceptions") if name in read}
