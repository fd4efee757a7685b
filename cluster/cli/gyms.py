"""`fitmonitor gym`: gyms of an installation, their hours, and who is inside."""

from typing import Annotated, Any

import typer

from cluster.cli.api.assent import ask_first
from cluster.cli.api.connection import connected
from cluster.cli.api.errors import WrongUseError
from cluster.cli.api.lookup import the_gym
from cluster.cli.api.options import AsJson, GymArgument, Key, Limit, Retired, Version, Yes, group
from cluster.cli.gym_hours import hours
from cluster.cli.gym_occupancy import head_count, head_counts, inside, occupancy
from cluster.cli.output import moment, print_fields, print_json, print_list, print_plain, shown
from domain.ids import new_id

app = group("Gyms: set up, change, retire; their opening hours, and who is inside.")

_NAME, _ADDRESS, _ZONE, _CAPACITY = (
    "What members call it.",
    "Where it is.",
    "As in Europe/Berlin.",
    "How many may be inside at once.",
)
_TIMES = ("reentry_after_s", "grace_after_closing_s", "longest_visit_s", "longest_use_s")


@app.command("list")
def list_gyms(
    *,
    retired: Retired = False,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """List gyms.

    Example: fitmonitor gym list --json
    """
    with connected() as api:
        found = api.all("/gyms", limit, retired=retired)
    print_list(
        found.items,
        lambda gym: (gym["id"], gym["name"], gym["address"], gym["time_zone"], gym["capacity"]),
        as_json=as_json,
        more=found.more,
    )


@app.command()
def show(gym: GymArgument, *, as_json: AsJson = False) -> None:
    """Show a gym, also a retired one.

    Example: fitmonitor gym show Riverside
    """
    with connected() as api:
        found = the_gym(api, gym)
    _tell(found, as_json=as_json)


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
    """Set a gym up. It is open day and night until it has opening hours.

    Example: fitmonitor gym create Riverside --address "Quay 7" --time-zone Europe/Berlin --capacity 120
    """
    wanted = {"name": name, "address": address, "time_zone": time_zone, "capacity": capacity}
    with connected() as api:
        made = api.post("/gyms", wanted, key=key or str(new_id()))
    if as_json:
        print_json(made)
    else:
        print_plain(f"{shown(made['name'])} is gym {made['id']}.")


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
            help="So long after an entry another one ends a forgotten visit.",
            show_default=False,
        ),
    ] = None,
    grace_after_closing: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", help="How long after closing somebody may be inside.", show_default=False),
    ] = None,
    longest_visit: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="A visit open for longer was forgotten.", show_default=False)
    ] = None,
    longest_use: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", help="A machine in use for longer was forgotten.", show_default=False),
    ] = None,
    version: Version = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Change a gym; what is left out stays.

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
        changes["reentry_after_s"] = None if reentry_after == "never" else _seconds(reentry_after)
    if not changes:
        raise WrongUseError("nothing is to change", "see `fitmonitor gym change --help`")
    with connected() as api:
        path = f"/gyms/{the_gym(api, gym)['id']}"
        changed = api.patch(path, changes, api.read(path).etag_of(version))
    _tell(changed, as_json=as_json)


@app.command()
def retire(
    gym: GymArgument,
    *,
    force: Annotated[bool, typer.Option("--force", help="Also while people are inside; they can still leave.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let nobody into a gym any more; refused while people are inside.

    Example: fitmonitor gym retire Riverside
    """
    with connected() as api:
        path = f"/gyms/{the_gym(api, gym)['id']}/retire"
        done = api.post(f"{path}?force=true" if force else path, again=True)
    if as_json:
        print_json(done)
    else:
        print_plain(f"{shown(done['name'])} is retired. Its past stays.")


@app.command()
def reopen(gym: GymArgument, *, as_json: AsJson = False) -> None:
    """Take a retirement back.

    Example: fitmonitor gym reopen Riverside
    """
    with connected() as api:
        done = api.post(f"/gyms/{the_gym(api, gym, retired=True)['id']}/reopen", again=True)
    if as_json:
        print_json(done)
    else:
        print_plain(f"{shown(done['name'])} is in operation.")


@app.command()
def delete(gym: GymArgument, version: Version = None, *, yes: Yes = False) -> None:
    """Delete a gym that was set up by mistake; one that was used can only be retired.

    Example: fitmonitor gym delete Riverside --yes
    """
    with connected() as api:
        path = f"/gyms/{the_gym(api, gym)['id']}"
        read = api.read(path)
        name = shown(read.document["name"])
        ask_first(f"delete the gym {name} with its gates and devices", yes=yes)
        api.delete(path, read.etag_of(version))
    print_plain(f"{name} is deleted.")


def _seconds(text: str) -> int:
    if not text.isdecimal():
        raise WrongUseError(f"--reentry-after {text} is neither seconds nor never", "as in 900")
    return int(text)


def _tell(gym: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(gym)
        return
    told = gym | {"retired": moment(gym["retired_at"])}
    print_fields(told, "id", "name", "address", "time_zone", "capacity", *_TIMES, "retired", "version")


app.command()(hours)
app.command()(occupancy)
app.command()(inside)
app.command("head-count")(head_count)
app.command("head-counts")(head_counts)
