"""`fitmonitor gym`: gyms and their opening hours."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cluster.cli.api.connection import connected
from cluster.cli.api.errors import UsageError
from cluster.cli.api.files import read_text
from cluster.cli.api.lookup import find_gym
from cluster.cli.api.options import AsJson, GymArgument, Key, Limit, Retired, Version, Yes, command_group, confirm
from cluster.cli.gym_occupancy import head_count, head_counts, inside, occupancy
from cluster.cli.output import local_time, print_document, print_json, print_list, print_plain, print_result, printable
from cluster.errors import CommandError
from domain.ids import new_id

app = command_group("Gyms: create, change and retire them, their opening hours, who is inside.")

_NAME, _ADDRESS, _ZONE, _CAPACITY = (
    "The name that members see.",
    "The postal address.",
    "The time zone, like Europe/Berlin.",
    "Maximum number of people inside.",
)
_SECONDS = ("reentry_after_s", "grace_after_closing_s", "longest_visit_s", "longest_use_s")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@app.command("list")
def list_gyms(*, retired: Retired = False, limit: Limit = None, as_json: AsJson = False) -> None:
    """List gyms.

    Example: fitmonitor gym list --json
    """
    with connected() as api:
        found = api.all("/gyms", limit, retired=retired)
    columns = {"id": "id", "name": "name", "address": "address", "time zone": "time_zone", "capacity": "capacity"}
    print_list(found.items, columns, as_json=as_json, more=found.more)


@app.command()
def show(gym: GymArgument, *, as_json: AsJson = False) -> None:
    """Show a gym, active or retired.

    Example: fitmonitor gym show Riverside
    """
    with connected() as api:
        found = find_gym(api, gym)
    _print(found, as_json=as_json)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help=_NAME, show_default=False)],
    address: Annotated[str, typer.Option(help=_ADDRESS, show_default=False)],
    time_zone: Annotated[str, typer.Option(help=_ZONE, show_default=False)],
    capacity: Annotated[int, typer.Option(help=_CAPACITY, show_default=False)],
    key: Key = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Create a gym. It is open day and night until you set its opening hours.

    Example: fitmonitor gym create Riverside --address "Quay 7" --time-zone Europe/Berlin --capacity 120
    """
    gym = {"name": name, "address": address, "time_zone": time_zone, "capacity": capacity}
    with connected() as api:
        created = api.post("/gyms", gym, key=key or str(new_id()))
    print_result(created, f"{printable(created['name'])} is gym {created['id']}.", as_json=as_json)


@app.command()
def change(
    gym: GymArgument,
    name: Annotated[str | None, typer.Option(help=_NAME, show_default=False)] = None,
    address: Annotated[str | None, typer.Option(help=_ADDRESS, show_default=False)] = None,
    time_zone: Annotated[str | None, typer.Option(help=_ZONE, show_default=False)] = None,
    capacity: Annotated[int | None, typer.Option(help=_CAPACITY, show_default=False)] = None,
    reentry_after: Annotated[
        str | None,
        typer.Option(
            metavar="SECONDS|never",
            help="A member who scans to enter this long after entering has forgotten to leave: the visit ends and "
            "another begins.",
            show_default=False,
        ),
    ] = None,
    grace_after_closing: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", help="How long people may stay after closing time.", show_default=False),
    ] = None,
    longest_visit: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", help="A longer visit ends as a forgotten exit.", show_default=False),
    ] = None,
    longest_use: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", help="A longer use of a machine ends as forgotten.", show_default=False),
    ] = None,
    version: Version = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Change a gym. What you leave out stays as it is.

    Example: fitmonitor gym change Riverside --capacity 90
    """
    changes = {
        "name": name,
        "address": address,
        "time_zone": time_zone,
        "capacity": capacity,
        "grace_after_closing_s": grace_after_closing,
        "longest_visit_s": longest_visit,
        "longest_use_s": longest_use,
    }
    changes = {field: value for field, value in changes.items() if value is not None}
    if reentry_after is not None:
        changes["reentry_after_s"] = None if reentry_after == "never" else _parse_seconds(reentry_after)
    if not changes:
        raise UsageError("there is nothing to change", "see `fitmonitor gym change --help`")
    with connected() as api:
        path = f"/gyms/{find_gym(api, gym)['id']}"
        changed = api.patch(path, changes, api.read(path).etag_of(version))
    _print(changed, as_json=as_json)


@app.command()
def retire(
    gym: GymArgument,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Retire it although people are inside; they can still leave.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Retire a gym: nobody can enter any more. Refused while people are inside.

    Example: fitmonitor gym retire Riverside
    """
    with connected() as api:
        path = f"/gyms/{find_gym(api, gym)['id']}/retire"
        done = api.post(f"{path}?force=true" if force else path, repeatable=True)
    print_result(done, f"{printable(done['name'])} is retired. Its history is kept.", as_json=as_json)


@app.command()
def reopen(gym: GymArgument, *, as_json: AsJson = False) -> None:
    """Reopen a retired gym.

    Example: fitmonitor gym reopen Riverside
    """
    with connected() as api:
        done = api.post(f"/gyms/{find_gym(api, gym, retired=True)['id']}/reopen", repeatable=True)
    print_result(done, f"{printable(done['name'])} is in operation.", as_json=as_json)


@app.command()
def delete(gym: GymArgument, version: Version = None, *, yes: Yes = False) -> None:
    """Delete a gym that was never used, for example one created by mistake. Retire any other gym.

    Example: fitmonitor gym delete Riverside --yes
    """
    with connected() as api:
        path = f"/gyms/{find_gym(api, gym)['id']}"
        read = api.read(path)
        name = printable(read.document["name"])
        confirm(f"delete the gym {name} with its gates and devices", yes=yes)
        api.delete(path, read.etag_of(version))
    print_plain(f"{name} is deleted.")


@app.command()
def hours(
    gym: GymArgument,
    version: Version = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option("--set", help="Replace them with those of this JSON file, as --json prints it; - is stdin."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show or replace a gym's opening hours, which are in the gym's time zone.

    Example: fitmonitor gym hours Riverside --json > hours.json; fitmonitor gym hours Riverside --set hours.json
    """
    new_hours = None if file is None else _read_hours(file)
    with connected() as api:
        path = f"/gyms/{find_gym(api, gym)['id']}/opening-hours"
        read = api.read(path)
        document = read.document if new_hours is None else api.put(path, new_hours, etag=read.etag_of(version))
    if as_json:
        print_json(document)
        return
    for span in document["hours"]:
        print_plain(f"{_WEEKDAYS[span['weekday']]}  {span['opens']}-{span['closes']}")
    for one in document["exceptions"]:
        when = "closed" if one["closed"] else f"{one['opens']}-{one['closes']}"
        print_plain(f"{one['day']}  {when}  {printable(one['note'])}".rstrip())
    until = f" until {local_time(document['next_change'])}" if document["next_change"] else ""
    print_plain(f"Now it is {'open' if document['open_now'] else 'closed'}{until}.")


def _read_hours(file: Path) -> dict[str, Any]:
    example = "`fitmonitor gym hours GYM --json` prints an example"
    try:
        read = json.loads(read_text(file))
    except ValueError as error:
        raise CommandError(f"{file} is not JSON ({error})", example) from error
    if not isinstance(read, dict):
        raise CommandError(f"{file} has no opening hours", example)
    # The other fields that --json prints describe the present moment.
    return {name: read[name] for name in ("hours", "exceptions") if name in read}


def _parse_seconds(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"--reentry-after {text} is neither a number of seconds nor `never`", "write it like 900")
    return int(text)


def _print(gym: dict[str, Any], *, as_json: bool) -> None:
    names = ("id", "name", "address", "time_zone", "capacity", *_SECONDS, "retired", "version")
    print_document(gym, *names, as_json=as_json, retired=local_time(gym["retired_at"]))


app.command()(occupancy)
app.command()(inside)
app.command("head-count")(head_count)
app.command("head-counts")(head_counts)
