"""`fitmonitor machine retire`, `reopen`, `out-of-order`, `in-order`."""

from typing import Annotated, Any

import typer

from cluster.cli.api.connection import connected
from cluster.cli.api.lookup import the_machine
from cluster.cli.api.options import AsJson
from cluster.cli.output import print_json, print_plain, shown

MachineArgument = Annotated[
    str,
    typer.Argument(metavar="MACHINE", help="The machine's id, or GYM/MACHINE by name or number.", show_default=False),
]


def retire(machine: MachineArgument, *, as_json: AsJson = False) -> None:
    """Take a machine out of service; it is in no list then, but still there.

    Example: fitmonitor machine retire "Riverside/Rower 1"
    """
    with connected() as api:
        done = api.post(f"/machines/{the_machine(api, machine)['id']}/retire", again=True)
    _tell(done, "is retired", as_json=as_json)


def reopen(machine: MachineArgument, *, as_json: AsJson = False) -> None:
    """Bring a machine back into service.

    Example: fitmonitor machine reopen "Riverside/Rower 1"
    """
    with connected() as api:
        done = api.post(f"/machines/{the_machine(api, machine, retired=True)['id']}/reopen", again=True)
    _tell(done, "is in service", as_json=as_json)


def out_of_order(
    machine: MachineArgument,
    reason: Annotated[str, typer.Option(help="What is wrong with it; members read it.", show_default=False)],
    *,
    as_json: AsJson = False,
) -> None:
    """Say that a machine cannot be used, and why.

    Example: fitmonitor machine out-of-order "Riverside/Rower 1" --reason "the chain is off"
    """
    with connected() as api:
        path = f"/machines/{the_machine(api, machine)['id']}/out-of-order"
        done = api.put(path, {"reason": reason})
    _tell(done, "is out of order", as_json=as_json)


def in_order(machine: MachineArgument, *, as_json: AsJson = False) -> None:
    """Say that a machine can be used again.

    Example: fitmonitor machine in-order "Riverside/Rower 1"
    """
    with connected() as api:
        done = api.delete(f"/machines/{the_machine(api, machine)['id']}/out-of-order")
    _tell(done, "is in order", as_json=as_json)


def _tell(machine: dict[str, Any], what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(machine)
    else:
        print_plain(f"{shown(machine['name'])} {what}.")
