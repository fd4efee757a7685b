"""`fitmonitor machine image`, `label`, `labels`."""

from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.api.connection import connected
from cluster.cli.api.files import read_bytes, write_bytes
from cluster.cli.api.group import GymArgument, Version
from cluster.cli.api.names import the_gym, the_machine
from cluster.cli.api.refusals import WrongUseError
from cluster.cli.machine_states import MachineArgument
from cluster.cli.output import print_plain, shown
from domain.images.model import Size

ToFile = Annotated[Path, typer.Argument(metavar="FILE", help="Where to; - is standard output.", show_default=False)]


def image(
    machine: MachineArgument,
    get: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it, as WebP, to this file; - is standard output.")
    ] = None,
    size: Annotated[Size, typer.Option(help="Of what is written.")] = Size.LARGE,
    put: Annotated[
        Path | None, typer.Option("--set", metavar="FILE", help="Show this JPEG, PNG or WebP from now on.")
    ] = None,
    version: Version = None,
) -> None:
    """Write a machine's picture to a file, or give it another one.

    Example: fitmonitor machine image "Riverside/Rower 1" --set rower.jpg
    """
    if (get is None) == (put is None):
        raise WrongUseError("say what is to be done with the picture", "either --get FILE or --set FILE")
    content = read_bytes(put) if put is not None else b""
    with connected() as api:
        path = f"/machines/{the_machine(api, machine)['id']}"
        if get is not None:
            write_bytes(get, api.content(f"{path}/image", size=size))
            return
        name = put.name if put is not None else ""
        tag = {"If-Match": api.read(path).etag_of(version)}
        changed = api.upload("PUT", f"{path}/image", files={"image": (name, content)}, headers=tag)
    print_plain(f"{shown(changed['name'])} has another picture.")


def label(machine: MachineArgument, file: ToFile) -> None:
    """Write a machine's label, a PNG with the QR code of its address.

    Example: fitmonitor machine label "Riverside/Rower 1" rower-1.png
    """
    with connected() as api:
        write_bytes(file, api.content(f"/machines/{the_machine(api, machine)['id']}/qr.png"))


def labels(gym: GymArgument, file: ToFile) -> None:
    """Write the labels of all machines of a gym, a PDF of A4 sheets.

    Example: fitmonitor machine labels Riverside labels.pdf
    """
    with connected() as api:
        write_bytes(file, api.content(f"/gyms/{the_gym(api, gym)['id']}/machine-labels.pdf"))
