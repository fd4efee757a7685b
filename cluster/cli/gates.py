"""`fitmonitor gate`: the ways into and out of a gym."""

from typing import Annotated, Any

import typer

from cluster.cli.api.assent import ask_first
from cluster.cli.api.connection import connected
from cluster.cli.api.errors import WrongUseError
from cluster.cli.api.lookup import the_gate, the_gym
from cluster.cli.api.options import AsJson, GymArgument, Key, Limit, Version, Yes, group
from cluster.cli.output import moment, print_fields, print_json, print_list, print_plain, shown
from domain.gyms.model import Serves
from domain.ids import new_id

app = group("Gates of a gym: the doors that scans are made at.")

GateArgument = Annotated[
    str, typer.Argument(metavar="GATE", help="The gate's id, or GYM/GATE by their names.", show_default=False)
]


@app.command("list")
def list_gates(gym: GymArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """List the gates of a gym.

    Example: fitmonitor gate list Riverside
    """
    with connected() as api:
        found = api.all(f"/gyms/{the_gym(api, gym)['id']}/gates", limit)
    print_list(found.items, lambda gate: (gate["id"], gate["serves"], gate["name"]), as_json=as_json, more=found.more)


@app.command()
def show(gate: GateArgument, *, as_json: AsJson = False) -> None:
    """Show a gate.

    Example: fitmonitor gate show "Riverside/Front door"
    """
    with connected() as api:
        found = the_gate(api, gate)
    _tell(found, as_json=as_json)


@app.command()
def create(
    gym: GymArgument,
    name: Annotated[str, typer.Argument(help="Unique among the gates of the gym.", show_default=False)],
    serves: Annotated[Serves, typer.Option(help="In which ways members pass it.")] = Serves.BOTH,
    key: Key = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Give a gym another gate.

    Example: fitmonitor gate create Riverside "Front door" --serves both
    """
    with connected() as api:
        body = {"name": name, "serves": serves.value}
        made = api.post(f"/gyms/{the_gym(api, gym)['id']}/gates", body, key=key or str(new_id()))
    if as_json:
        print_json(made)
    else:
        print_plain(f"{shown(made['name'])} is gate {made['id']}.")


@app.command()
def change(
    gate: GateArgument,
    name: Annotated[str | None, typer.Option(help="Its new name.", show_default=False)] = None,
    serves: Annotated[Serves | None, typer.Option(help="In which ways members pass it.", show_default=False)] = None,
    version: Version = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Change a gate's name or the ways it serves; at every door within 5 s.

    Example: fitmonitor gate change "Riverside/Front door" --serves in
    """
    changes = {"name": name, "serves": serves.value if serves else None}
    changes = {field: value for field, value in changes.items() if value is not None}
    if not changes:
        raise WrongUseError("nothing is to change", "see `fitmonitor gate change --help`")
    with connected() as api:
        path = f"/gates/{the_gate(api, gate)['id']}"
        changed = api.patch(path, changes, api.read(path).etag_of(version))
    _tell(changed, as_json=as_json)


@app.command()
def delete(gate: GateArgument, version: Version = None, *, yes: Yes = False) -> None:
    """Use a gate no more: its devices are revoked, scans at it refused, within 5 s. Its past stays.

    Example: fitmonitor gate delete "Riverside/Back door" --yes
    """
    with connected() as api:
        path = f"/gates/{the_gate(api, gate)['id']}"
        read = api.read(path)
        name = shown(read.document["name"])
        ask_first(f"take the gate {name} out of use and revoke its devices, which cannot be undone", yes=yes)
        api.delete(path, read.etag_of(version))
    print_plain(f"{name} is used no more.")


def _tell(gate: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(gate)
    else:
        told = gate | {"created": moment(gate["created_at"])}
        print_fields(told, "id", "name", "serves", "gym_id", "created", "version")
