"""`fitmonitor device`: the devices that scan passes at the gates."""

from typing import Annotated

import typer
from rich.console import Console

from cluster.cli.api.connection import connected
from cluster.cli.api.lookup import find_device, find_gate, find_gym, parse_id
from cluster.cli.api.options import AsJson, GymArgument, Key, Limit, Yes, command_group, confirm
from cluster.cli.gates import GateArgument
from cluster.cli.output import local_time, parsed_time, print_json, print_list, print_plain, print_result, printable
from domain.ids import new_id
from integrations.rendering.pass_images import half_blocks

app = command_group("Devices at the gates: pair, list and revoke them.")

DeviceName = Annotated[str, typer.Option("--name", help="The name that staff see.")]
_BLACK_ON_WHITE = "rgb(0,0,0) on rgb(255,255,255)"  # many scanners cannot read a light code on a dark background


@app.command("list")
def list_devices(gym: GymArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """List the devices of a gym: whether each is silent, when it was last seen, how far its clock is ahead.

    Example: fitmonitor device list Riverside
    """
    with connected() as api:
        found = api.all(f"/gyms/{find_gym(api, gym)['id']}/devices", limit)
    print_list(
        found.items,
        {
            "id": "id",
            "state": lambda device: "silent" if device["silent"] else "active",
            "last seen": lambda device: parsed_time(device["last_seen_at"]) or "never",
            "clock ahead": lambda device: "" if device["clock_skew_ms"] is None else f"{device['clock_skew_ms']:+} ms",
            "gate": "gate_name",
            "name": "name",
        },
        as_json=as_json,
        more=found.more,
    )


@app.command()
def pair(gate: GateArgument, name: DeviceName = "Door", key: Key = "", *, as_json: AsJson = False) -> None:
    """Create a pairing code, shown only once. The first device that sends it becomes a device of the gate.

    The QR code opens the pairing page in the browser of a door.

    Example: fitmonitor device pair "Riverside/Front door" --name Turnstile
    """
    with connected() as api:
        path = f"/gates/{find_gate(api, gate)['id']}/pairings"
        pairing = api.post(path, {"name": name}, key=key or str(new_id()))
    if as_json:
        print_json(pairing)
        return
    console = Console(highlight=False)
    drawing = half_blocks(pairing["url"])
    if console.width >= drawing.index("\n"):
        for line in drawing.split("\n"):
            console.print(line, style=_BLACK_ON_WHITE)
    print_plain(f"code     {pairing['code']}")
    print_plain(f"address  {pairing['url']}")
    print_plain(f"The code works once, until {local_time(pairing['expires_at'])}.")
    print_plain(f"To cancel it: fitmonitor device unpair {pairing['id']}")


@app.command()
def pairings(gate: GateArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """List the pairing codes of a gate that no device has used yet.

    Example: fitmonitor device pairings "Riverside/Front door"
    """
    with connected() as api:
        found = api.all(f"/gates/{find_gate(api, gate)['id']}/pairings", limit)
    print_list(
        found.items,
        {"id": "id", "expires": lambda pairing: parsed_time(pairing["expires_at"]), "name": "name"},
        as_json=as_json,
        more=found.more,
    )


@app.command()
def unpair(
    pairing: Annotated[
        str, typer.Argument(help="The pairing's id, as `device pairings` prints it.", show_default=False)
    ],
) -> None:
    """Cancel a pairing code that no device has used yet.

    Example: fitmonitor device unpair 0198c0de-0000-7000-8000-000000000000
    """
    pairing_id = parse_id("pairing", pairing, "fitmonitor device pairings GATE")
    with connected() as api:
        api.delete(f"/pairings/{pairing_id}")
    print_plain("The code is cancelled.")


@app.command()
def claim(
    code: Annotated[str, typer.Argument(help="The code that `device pair` prints.", show_default=False)],
    key: Key = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Use a pairing code, as a door does, and print the credential of the new device. It is shown only once.

    Example: fitmonitor device claim ABCD-EFGH-JKLM-NPQR
    """
    with connected() as api:
        created = api.post("/pairings/claim", {"code": code}, key=key or str(new_id()))
    print_result(created, created["credential"], as_json=as_json)


@app.command()
def create(gate: GateArgument, name: DeviceName = "Door", key: Key = "", *, as_json: AsJson = False) -> None:
    """Create a device without a pairing code and print its credential. It is shown only once.

    Example: fitmonitor device create "Riverside/Front door" --name Turnstile
    """
    with connected() as api:
        created = api.post(f"/gates/{find_gate(api, gate)['id']}/devices", {"name": name}, key=key or str(new_id()))
    print_result(created, created["credential"], as_json=as_json)


@app.command()
def delete(
    device: Annotated[
        str, typer.Argument(metavar="DEVICE", help="The device's id, or GYM/DEVICE by name.", show_default=False)
    ],
    *,
    yes: Yes = False,
) -> None:
    """Revoke a device: within 5 s all its requests are refused.

    Example: fitmonitor device delete Riverside/Turnstile --yes
    """
    with connected() as api:
        device_id, name = find_device(api, device)
        confirm(f"revoke the device {printable(name)}, which must be paired again to scan", yes=yes)
        api.delete(f"/devices/{device_id}")
    print_plain(f"{printable(name)} is revoked.")
