"""`fitmonitor machine`: machines of a gym."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cluster.cli.api.assent import ask_first
from cluster.cli.api.connection import connected
from cluster.cli.api.errors import WrongUseError
from cluster.cli.api.files import read_bytes
from cluster.cli.api.lookup import the_gym, the_machine
from cluster.cli.api.options import AsJson, GymArgument, Key, Limit, Version, Yes, group
from cluster.cli.machine_pictures import image, label, labels
from cluster.cli.machine_states import MachineArgument, in_order, out_of_order, reopen, retire
from cluster.cli.output import moment, print_fields, print_json, print_list, print_plain, shown
from domain.ids import new_id

app = group("Machines of a gym, their pictures and labels.")


@app.command("list")
def list_machines(
    gym: GymArgument,
    kind: Annotated[str | None, typer.Option("--type", help="Of this type only.", show_default=False)] = None,
    limit: Limit = None,
    *,
    free: Annotated[
        bool | None, typer.Option("--free/--not-free", help="Those that may be used now, or not.", show_default=False)
    ] = None,
    retired: Annotated[bool, typer.Option("--retired", help="Also those that are out of service.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the machines of a gym.

    Example: fitmonitor machine list Riverside --type rower --free
    """
    with connected() as api:
        found = api.all(f"/gyms/{the_gym(api, gym)['id']}/machines", limit, type=kind, free=free, retired=retired)
    print_list(
        found.items,
        lambda one: (one["id"], one["number"], _state(one), one["type"], one["name"]),
        as_json=as_json,
        more=found.more,
    )


@app.command()
def show(machine: MachineArgument, *, as_json: AsJson = False) -> None:
    """Show a machine, also a retired one.

    Example: fitmonitor machine show "Riverside/Rower 1"
    """
    with connected() as api:
        found = the_machine(api, machine)
    _tell(found, as_json=as_json)


@app.command()
def create(
    gym: GymArgument,
    name: Annotated[str, typer.Argument(help="What stands on it.", show_default=False)],
    kind: Annotated[str, typer.Option("--type", help="As in rower.", show_default=False)],
    picture: Annotated[Path, typer.Option("--image", help="A JPEG, PNG or WebP picture of it.", show_default=False)],
    description: Annotated[str, typer.Option(help="What members should know.")] = "",
    key: Key = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Put a machine into a gym, with its picture; the API takes none without one.

    Example: fitmonitor machine create Riverside "Rower 1" --type rower --image rower.jpg
    """
    content = read_bytes(picture)
    with connected() as api:
        made = api.upload(
            "POST",
            f"/gyms/{the_gym(api, gym)['id']}/machines",
            key=key or str(new_id()),
            data={"name": name, "type": kind, "description": description},
            files={"image": (picture.name, content)},
        )
    if as_json:
        print_json(made)
    else:
        print_plain(f"{shown(made['name'])} is machine {made['number']}, {made['id']}.")


@app.command()
def change(
    machine: MachineArgument,
    name: Annotated[str | None, typer.Option(help="What stands on it.", show_default=False)] = None,
    kind: Annotated[str | None, typer.Option("--type", help="As in rower.", show_default=False)] = None,
    description: Annotated[str | None, typer.Option(help="What members should know.", show_default=False)] = None,
    version: Version = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Change what is written of a machine; what is left out stays. Its picture: `fitmonitor machine image --set`.

    Example: fitmonitor machine change "Riverside/Rower 1" --description "By the window"
    """
    changes = {"name": name, "type": kind, "description": description}
    changes = {field: value for field, value in changes.items() if value is not None}
    if not changes:
        raise WrongUseError("nothing is to change", "see `fitmonitor machine change --help`")
    with connected() as api:
        path = f"/machines/{the_machine(api, machine)['id']}"
        changed = api.patch(path, changes, api.read(path).etag_of(version))
    _tell(changed, as_json=as_json)


@app.command()
def delete(machine: MachineArgument, version: Version = None, *, yes: Yes = False) -> None:
    """Delete a machine that nobody is on. What members did on it stays theirs.

    Example: fitmonitor machine delete "Riverside/Rower 1" --yes
    """
    with connected() as api:
        path = f"/machines/{the_machine(api, machine)['id']}"
        read = api.read(path)
        name = shown(read.document["name"])
        ask_first(f"delete the machine {name} with its picture, which cannot be undone", yes=yes)
        api.delete(path, read.etag_of(version))
    print_plain(f"{name} is deleted.")


def _state(machine: Any) -> str:  # noqa: ANN401 - a document
    if machine["retired_at"] is not None:
        return "retired"
    if machine["out_of_order"] is not None:
        return "out of order"
    return "in use" if machine["in_use"] else "free"


def _tell(machine: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(machine)
        return
    broken = machine["out_of_order"]
    told = machine | {
        "state": _state(machine),
        "out_of_order": f"{broken['reason']}, since {moment(broken['since'])}" if broken else "",
        "retired": moment(machine["retired_at"]),
    }
    names = ("id", "number", "name", "type", "description", "state", "out_of_order", "retired", "gym_id", "version")
    print_fields(told, *names)


app.command()(retire)
app.command()(reopen)
app.command("out-of-order")(out_of_order)
app.command("in-order")(in_order)
app.command()(image)
app.command()(label)
app.command()(labels)
