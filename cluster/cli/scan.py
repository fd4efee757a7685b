"""`fitmonitor scan`: be a door device for one scan."""

import sys
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cluster.cli.doors import DEVICE_VARIABLE, choose_door
from cluster.cli.output import print_json
from cluster.cli.qr_reader import NoCodeError, read_picture
from cluster.cli.scan_client import NoAnswerError, ScanCalls
from cluster.errors import CommandError
from cluster.settings_file import stack_settings
from domain.door.model import Direction, Outcome
from domain.ids import new_id


class ScanExit(IntEnum):
    """What the command ends with, besides 0 and the 1 of every error."""

    REFUSED = 3
    NO_ANSWER = 4


def scan(
    code: Annotated[
        str, typer.Argument(metavar="CODE|IMAGE", help="A code, a picture of one, or - for standard input.")
    ] = "-",
    gate: Annotated[
        str | None, typer.Option(help="A gate's id; in the demo a name, as 'Front door' or 'Riverside/Front door'.")
    ] = None,
    direction: Annotated[Direction, typer.Option(help="Where the member wants to go.")] = Direction.AUTO,
    device: Annotated[
        str | None,
        typer.Option(metavar="ID.SECRET", help=f"A device's credential; else {DEVICE_VARIABLE}, else the demo's."),
    ] = None,
    scan_id: Annotated[
        str | None, typer.Option(help="Repeat an earlier scan: what was decided is told again, never decided twice.")
    ] = None,
    annul: Annotated[str | None, typer.Option(metavar="SCAN_ID", help="Undo an earlier scan instead.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as the API gave it.")] = False,
) -> None:
    """Scan a pass at a gate. Ends with 0 for entered or left, 3 for refused, 4 for no answer, 1 for an error.

    Example: fitmonitor scan pass.png --gate 'Riverside/Front door' --direction enter
    """
    settings = stack_settings()
    calls = ScanCalls(f"http://{settings.host}:{settings.port}", choose_door(settings, gate, device))
    if annul:
        _annul(calls, annul, as_json=as_json)
        return
    text = _read(code)
    scan_id = scan_id or str(new_id())
    try:
        answer = calls.scan(text, direction, scan_id)
    except NoAnswerError:
        _not_decided(scan_id, as_json=as_json)
        raise typer.Exit(ScanExit.NO_ANSWER) from None
    if as_json:
        print_json(answer)
    else:
        _tell(answer)
    if answer["outcome"] == Outcome.REFUSED:
        raise typer.Exit(ScanExit.REFUSED)


def _read(code: str) -> str:
    if code == "-":
        if sys.stdin.isatty():
            raise CommandError("no code and no picture is named", "fitmonitor pass show EMAIL --code | fitmonitor scan")
        code = sys.stdin.readline().strip()
    if not _is_file(code):
        if Path(code).suffix.lower() in {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}:
            raise CommandError(f"there is no picture {code}", "name a file, or the code itself")
        return code
    try:
        return read_picture(Path(code))
    except NoCodeError as error:
        raise CommandError(str(error), "take it again, nearer, and with less glare") from error


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # longer than any name may be, or with a zero byte in it
        return False


def _annul(calls: ScanCalls, scan_id: str, *, as_json: bool) -> None:
    try:
        answer = calls.annul(scan_id)
    except NoAnswerError:
        _not_decided(scan_id, as_json=as_json)
        raise typer.Exit(ScanExit.NO_ANSWER) from None
    if as_json:
        print_json(answer)
    else:
        Console(highlight=False).print(f"annulled: {answer['occupancy']} of {answer['capacity']} inside", markup=False)


def _tell(answer: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    member = answer.get("member") or {}
    words = [f"{answer['outcome']}:" if answer.get("reason") else answer["outcome"]]
    words += filter(None, [answer.get("reason"), member.get("name")])
    console.print(" ".join(words), markup=False, style="green" if answer["outcome"] != Outcome.REFUSED else "red")
    if answer.get("remedy"):
        console.print(f"what would help: {answer['remedy']}", markup=False)
    told = " (the answer to an earlier scan, told again)" if answer.get("replayed") else ""
    console.print(f"{answer['occupancy']} of {answer['capacity']} inside{told}", markup=False)


def _not_decided(scan_id: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"scan_id": scan_id, "outcome": None})
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"No decision was heard for scan {scan_id}. Do not let anybody in or out on it.", markup=False)
    console.print(f"Repeat it:  fitmonitor scan CODE --scan-id {scan_id}", markup=False)
    console.print(f"or undo it: fitmonitor scan --annul {scan_id}", markup=False)
