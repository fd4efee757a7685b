"""`fitmonitor gate`: the gates of a gym."""

from typing import Annotated, Any

import typer

from cluster.cli.api.connection import connected
from cluster.cli.api.errors import UsageError
from cluster.cli.api.lookup import find_gate, find_gym
from cluster.cli.api.options import AsJson, GymArgument, Key, Limit, Version, Yes, command_group, confirm
from cluster.cli.output import local_time, print_document, print_list, print_plain, print_result, printable
from domain.gyms.model import GateDirections
from domain.ids import new_id

app = command_group("Gates of a gym: the doors where members scan their passes.")

GateArgument = Annotated[
    str, typer.Argument(metavar="GATE", help="The gate's id, or GYM/GATE by name.", show_default=False)
]
_SERVES = "Whether members enter here, leave here, or both."


@app.command("list")
def list_gates(gym: GymArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """List the gates of a gym.

    Example: fitmonitor gate list Riverside
    """
    with connected() as api:
        found = api.all(f"/gyms/{find_gym(api, gym)['id']}/gates", limit)
    print_list(found.items, {"id": "id", "serves": "serves", "name": "name"}, as_json=as_json, more=found.more)


@app.command()
def show(gate: GateArgument, *, as_json: AsJson = False) -> None:
    """Show a gate.

    Example: fitmonitor gate show "Riverside/Front door"
    """
    with connected() as api:
        found = find_gate(api, gate)
    _print(found, as_json=as_json)


@app.command()
def create(
    gym: GymArgument,
    name: Annotated[str, typer.Argument(help="A name that no other gate of the gym has.", show_default=False)],
    serves: Annotated[GateDirections, typer.Option(help=_SERVES)] = GateDirections.BOTH,
    key: Key = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Create a gate.

    Example: fitmonitor gate create Riverside "Front door" --serves both
    """
    with connected() as api:
        body = {"name": name, "serves": serves.value}
        created = api.post(f"/gyms/{find_gym(api, gym)['id']}/gates", body, key=key or str(new_id()))
    print_result(created, f"{printable(created['name'])} is gate {created['id']}.", as_json=as_json)


@app.command()
def change(
    gate: GateArgument,
    name: Annotated[str | None, typer.Option(help="Its new name.", show_default=False)] = None,
    serves: Annotated[GateDirections | None, typer.Option(help=_SERVES, show_default=False)] = None,
    version: Version = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Change a gate's name or direction. Every door knows the change within 5 s.

    Example: fitmonitor gate change "Riverside/Front door" --serves in
    """
    changes = {"name": name, "serves": serves.value if serves else None}
    changes = {field: value for field, value in changes.items() if value is not None}
    if not changes:
        raise UsageError("there is nothing to change", "see `fitmonitor gate change --help`")
    with connected() as api:
        path = f"/gates/{find_gate(api, gate)['id']}"
        changed = api.patch(path, changes, api.read(path).etag_of(version))
    _print(changed, as_json=as_json)


@app.command()
def delete(gate: GateArgument, version: Version = None, *, yes: Yes = False) -> None:
    """Take a gate out of use. Within 5 s its devices are revoked and scans there refused. Its history is kept.

    Example: fitmonitor gate delete "Riverside/Back door" --yes
    """
    with connected() as api:
        path = f"/gates/{find_gate(api, gate)['id']}"
        read = api.read(path)
        name = printable(read.document["name"])
        confirm(f"take the gate {name} out of use and revoke its devices, which cannot be undone", yes=yes)
        api.delete(path, read.etag_of(version))
    print_plain(f"{name} is out of use.")


def _print(gate: dict[str, Any], *, as_json: bool) -> None:
    names = ("id", "name", "serves", "gym_id", "created", "version")
    print_document(gate, *names, as_json=as_json, created=local_time(gate["created_at"]))
