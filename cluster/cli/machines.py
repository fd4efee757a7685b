"""`fitmonitor machine`: the machines of a gym, their states, pictures and labels."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cluster.cli.api.connection import connected
from cluster.cli.api.errors import UsageError
from cluster.cli.api.files import read_bytes, write_bytes
from cluster.cli.api.lookup import find_gym, find_machine
from cluster.cli.api.options import AsJson, GymArgument, Key, Limit, Version, Yes, command_group, confirm
from cluster.cli.output import (
    Columns,
    local_time,
    print_document,
    print_list,
    print_plain,
    print_result,
    printable,
)
from domain.ids import new_id
from domain.images.model import Size

app = command_group("Machines of a gym, their pictures and labels.")

MachineArgument = Annotated[
    str,
    typer.Argument(metavar="MACHINE", help="The machine's id, or GYM/MACHINE by name or number.", show_default=False),
]
OutputFile = Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; - is stdout.", show_default=False)]
_NAME, _TYPE, _DESCRIPTION = "The name on the machine.", "Its type, like rower.", "A description for members."


@app.command("list")
def list_machines(
    gym: GymArgument,
    kind: Annotated[str | None, typer.Option("--type", help="Only this type.", show_default=False)] = None,
    limit: Limit = None,
    *,
    free: Annotated[
        bool | None,
        typer.Option("--free/--not-free", help="Only machines that are free now, or only others.", show_default=False),
    ] = None,
    retired: Annotated[bool, typer.Option("--retired", help="List retired machines, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the machines of a gym.

    Example: fitmonitor machine list Riverside --type rower --free
    """
    with connected() as api:
        found = api.all(f"/gyms/{find_gym(api, gym)['id']}/machines", limit, type=kind, free=free, retired=retired)
    columns: Columns = {"id": "id", "number": "number", "state": _state, "type": "type", "name": "name"}
    print_list(found.items, columns, as_json=as_json, more=found.more)


@app.command()
def show(machine: MachineArgument, *, as_json: AsJson = False) -> None:
    """Show a machine, active or retired.

    Example: fitmonitor machine show "Riverside/Rower 1"
    """
    with connected() as api:
        found = find_machine(api, machine)
    _print(found, as_json=as_json)


@app.command()
def create(
    gym: GymArgument,
    name: Annotated[str, typer.Argument(help=_NAME, show_default=False)],
    kind: Annotated[str, typer.Option("--type", help=_TYPE, show_default=False)],
    picture: Annotated[
        Path, typer.Option("--image", help="A JPEG, PNG or WebP picture of it; required.", show_default=False)
    ],
    description: Annotated[str, typer.Option(help=_DESCRIPTION)] = "",
    key: Key = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Create a machine with its picture.

    Example: fitmonitor machine create Riverside "Rower 1" --type rower --image rower.jpg
    """
    content = read_bytes(picture)
    with connected() as api:
        created = api.upload(
            "POST",
            f"/gyms/{find_gym(api, gym)['id']}/machines",
            key=key or str(new_id()),
            data={"name": name, "type": kind, "description": description},
            files={"image": (picture.name, content)},
        )
    print_result(
        created, f"{printable(created['name'])} is machine {created['number']}, {created['id']}.", as_json=as_json
    )


@app.command()
def change(
    machine: MachineArgument,
    name: Annotated[str | None, typer.Option(help=_NAME, show_default=False)] = None,
    kind: Annotated[str | None, typer.Option("--type", help=_TYPE, show_default=False)] = None,
    description: Annotated[str | None, typer.Option(help=_DESCRIPTION, show_default=False)] = None,
    version: Version = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Change a machine's name, type or description. Its picture: `fitmonitor machine image --set`.

    Example: fitmonitor machine change "Riverside/Rower 1" --description "By the window"
    """
    changes = {"name": name, "type": kind, "description": description}
    changes = {field: value for field, value in changes.items() if value is not None}
    if not changes:
        raise UsageError("there is nothing to change", "see `fitmonitor machine change --help`")
    with connected() as api:
        path = f"/machines/{find_machine(api, machine)['id']}"
        changed = api.patch(path, changes, api.read(path).etag_of(version))
    _print(changed, as_json=as_json)


@app.command()
def delete(machine: MachineArgument, version: Version = None, *, yes: Yes = False) -> None:
    """Delete a machine that nobody uses now. Members keep their past uses.

    Example: fitmonitor machine delete "Riverside/Rower 1" --yes
    """
    with connected() as api:
        path = f"/machines/{find_machine(api, machine)['id']}"
        read = api.read(path)
        name = printable(read.document["name"])
        confirm(f"delete the machine {name} with its picture, which cannot be undone", yes=yes)
        api.delete(path, read.etag_of(version))
    print_plain(f"{name} is deleted.")


@app.command()
def retire(machine: MachineArgument, *, as_json: AsJson = False) -> None:
    """Take a machine out of service. Lists leave it out, but it can be reopened.

    Example: fitmonitor machine retire "Riverside/Rower 1"
    """
    with connected() as api:
        done = api.post(f"/machines/{find_machine(api, machine)['id']}/retire", repeatable=True)
    print_result(done, f"{printable(done['name'])} is retired.", as_json=as_json)


@app.command()
def reopen(machine: MachineArgument, *, as_json: AsJson = False) -> None:
    """Put a retired machine back into service.

    Example: fitmonitor machine reopen "Riverside/Rower 1"
    """
    with connected() as api:
        done = api.post(f"/machines/{find_machine(api, machine, retired=True)['id']}/reopen", repeatable=True)
    print_result(done, f"{printable(done['name'])} is in service.", as_json=as_json)


@app.command("out-of-order")
def out_of_order(
    machine: MachineArgument,
    reason: Annotated[str, typer.Option(help="What is broken; members can read it.", show_default=False)],
    *,
    as_json: AsJson = False,
) -> None:
    """Mark a machine as out of order.

    Example: fitmonitor machine out-of-order "Riverside/Rower 1" --reason "the chain is off"
    """
    with connected() as api:
        done = api.put(f"/machines/{find_machine(api, machine)['id']}/out-of-order", {"reason": reason})
    print_result(done, f"{printable(done['name'])} is out of order.", as_json=as_json)


@app.command("in-order")
def in_order(machine: MachineArgument, *, as_json: AsJson = False) -> None:
    """Mark a machine as working again.

    Example: fitmonitor machine in-order "Riverside/Rower 1"
    """
    with connected() as api:
        done = api.delete(f"/machines/{find_machine(api, machine)['id']}/out-of-order")
    print_result(done, f"{printable(done['name'])} is in order.", as_json=as_json)


@app.command()
def image(
    machine: MachineArgument,
    get: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the picture to this file, as WebP; - is stdout.")
    ] = None,
    size: Annotated[Size, typer.Option(help="The size that --get writes.")] = Size.LARGE,
    put: Annotated[
        Path | None, typer.Option("--set", metavar="FILE", help="Replace the picture with this JPEG, PNG or WebP.")
    ] = None,
    version: Version = None,
) -> None:
    """Write a machine's picture to a file, or replace it.

    Example: fitmonitor machine image "Riverside/Rower 1" --set rower.jpg
    """
    if (get is None) == (put is None):
        raise UsageError("one of --get and --set is required", "add --get FILE or --set FILE")
    content = read_bytes(put) if put is not None else b""
    with connected() as api:
        path = f"/machines/{find_machine(api, machine)['id']}"
        if get is not None:
            write_bytes(get, api.content(f"{path}/image", size=size))
            return
        name = put.name if put is not None else ""
        if_match = {"If-Match": api.read(path).etag_of(version)}
        changed = api.upload("PUT", f"{path}/image", files={"image": (name, content)}, headers=if_match)
    print_plain(f"{printable(changed['name'])} has a new picture.")


@app.command()
def label(machine: MachineArgument, file: OutputFile) -> None:
    """Write a machine's label: a PNG with the QR code of its address.

    Example: fitmonitor machine label "Riverside/Rower 1" rower-1.png
    """
    with connected() as api:
        write_bytes(file, api.content(f"/machines/{find_machine(api, machine)['id']}/qr.png"))


@app.command()
def labels(gym: GymArgument, file: OutputFile) -> None:
    """Write the labels of all machines of a gym as PDF, on sheets of A4.

    Example: fitmonitor machine labels Riverside labels.pdf
    """
    with connected() as api:
        write_bytes(file, api.content(f"/gyms/{find_gym(api, gym)['id']}/machine-labels.pdf"))


def _state(machine: Any) -> str:  # noqa: ANN401 - a document
    if machine["retired_at"] is not None:
        return "retired"
    if machine["out_of_order"] is not None:
        return "out of order"
    return "in use" if machine["in_use"] else "free"


def _print(machine: dict[str, Any], *, as_json: bool) -> None:
    broken = machine["out_of_order"]
    print_document(
        machine,
        *("id", "number", "name", "type", "description", "state", "out_of_order", "retired", "gym_id", "version"),
        as_json=as_json,
        state=_state(machine),
        out_of_order=f"{broken['reason']}, since {local_time(broken['since'])}" if broken else "",
        retired=local_time(machine["retired_at"]),
    )
