"""`fitmonitor device`: the scanners at the gates."""

from typing import Annotated

import typer
from rich.console import Console

from cluster.cli.api.assent import ask_first
from cluster.cli.api.connection import connected
from cluster.cli.api.lookup import id_of, the_device, the_gate, the_gym
from cluster.cli.api.options import AsJson, GymArgument, Key, Limit, Yes, group
from cluster.cli.gates import GateArgument
from cluster.cli.output import moment, print_json, print_list, print_plain, shown
from domain.ids import new_id
from integrations.pass_images import half_blocks

app = group("Devices at the gates: pair them, withdraw them.")

DeviceName = Annotated[str, typer.Option("--name", help="What staff call the device.")]
_ON_PAPER = "rgb(0,0,0) on rgb(255,255,255)"  # a light code on a dark ground is one that many scanners cannot read


@app.command("list")
def list_devices(gym: GymArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """List the devices in use of a gym: whether each is silent, when it was seen last, how far its clock is ahead.

    Example: fitmonitor device list Riverside
    """
    with connected() as api:
        found = api.all(f"/gyms/{the_gym(api, gym)['id']}/devices", limit)
    print_list(
        found.items,
        lambda each: (
            *(each["id"], "silent" if each["silent"] else "heard", moment(each["last_seen_at"]) or "never"),
            *(
                "" if each["clock_skew_ms"] is None else f"{each['clock_skew_ms']:+} ms",
                each["gate_name"],
                each["name"],
            ),
        ),
        as_json=as_json,
        more=found.more,
    )


@app.command()
def pair(gate: GateArgument, name: DeviceName = "Door", key: Key = "", *, as_json: AsJson = False) -> None:
    """Make a code that makes one device of whoever shows it first; shown this once, also as QR for a door's browser.

    Example: fitmonitor device pair "Riverside/Front door" --name Turnstile
    """
    with connected() as api:
        path = f"/gates/{the_gate(api, gate)['id']}/pairings"
        made = api.post(path, {"name": name}, key=key or str(new_id()))
    if as_json:
        print_json(made)
        return
    console = Console(highlight=False)
    drawing = half_blocks(made["url"])
    if console.width >= drawing.index("\n"):
        for line in drawing.split("\n"):
            console.print(line, style=_ON_PAPER)
    print_plain(f"code     {made['code']}")
    print_plain(f"address  {made['url']}")
    print_plain(f"Good once, until {moment(made['expires_at'])}. To withdraw it: fitmonitor device unpair {made['id']}")


@app.command()
def pairings(gate: GateArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """List the codes of a gate that wait for their devices.

    Example: fitmonitor device pairings "Riverside/Front door"
    """
    with connected() as api:
        found = api.all(f"/gates/{the_gate(api, gate)['id']}/pairings", limit)
    print_list(
        found.items,
        lambda each: (each["id"], f"until {moment(each['expires_at'])}", each["name"]),
        as_json=as_json,
        more=found.more,
    )


@app.command()
def unpair(
    pairing: Annotated[str, typer.Argument(help="Its id, as `device pairings` shows it.", show_default=False)],
) -> None:
    """Take a code back that nobody has shown yet.

    Example: fitmonitor device unpair 0198c0de-0000-7000-8000-000000000000
    """
    wanted = id_of("pairing", pairing, "fitmonitor device pairings GATE")
    with connected() as api:
        api.delete(f"/pairings/{wanted}")
    print_plain("The code is good no more.")


@app.command()
def claim(
    code: Annotated[str, typer.Argument(help="As `device pair` shows it.", show_default=False)],
    key: Key = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Become the device of a code, as a door does. Its credential is printed this once.

    Example: fitmonitor device claim ABCD-EFGH-JKLM-NPQR
    """
    with connected() as api:
        made = api.post("/pairings/claim", {"code": code}, key=key or str(new_id()))
    if as_json:
        print_json(made)
    else:
        print_plain(made["credential"])


@app.command()
def create(gate: GateArgument, name: DeviceName = "Door", key: Key = "", *, as_json: AsJson = False) -> None:
    """Give a gate a device without a code in between. Its credential is printed this once.

    Example: fitmonitor device create "Riverside/Front door" --name Turnstile
    """
    with connected() as api:
        made = api.post(f"/gates/{the_gate(api, gate)['id']}/devices", {"name": name}, key=key or str(new_id()))
    if as_json:
        print_json(made)
    else:
        print_plain(made["credential"])


@app.command()
def delete(
    device: Annotated[
        str, typer.Argument(metavar="DEVICE", help="The device's id, or GYM/DEVICE by their names.", show_default=False)
    ],
    *,
    yes: Yes = False,
) -> None:
    """Take a device's credential back: everything it asks is refused, everywhere within 5 s.

    Example: fitmonitor device delete Riverside/Turnstile --yes
    """
    with connected() as api:
        device_id, name = the_device(api, device)
        ask_first(f"revoke the device {shown(name)}, which must be paired anew to scan again", yes=yes)
        api.delete(f"/devices/{device_id}")
    print_plain(f"{shown(name)} is revoked.")
