"""`fitmonitor scan`: acts as a gate device for one scan."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cluster.cli.output import print_json
from cluster.cli.qr_reader import NoCodeError, read_picture
from cluster.cli.scan_client import DEVICE_VARIABLE, NoAnswerError, ScanClient, choose_door
from cluster.errors import CommandError, ExitCode
from cluster.settings_file import stack_settings
from domain.door.model import Direction, Outcome
from domain.ids import new_id

_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


def scan(
    code: Annotated[
        str, typer.Argument(metavar="CODE|IMAGE", help="The code of a pass, a picture of one, or - for stdin.")
    ] = "-",
    gate: Annotated[
        str | None,
        typer.Option(help="The gate's id; in the demo also its name, like 'Front door' or 'Riverside/Front door'."),
    ] = None,
    direction: Annotated[Direction, typer.Option(help="Where the member wants to go.")] = Direction.AUTO,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="ID.SECRET",
            help=f"The credential of a device (default: {DEVICE_VARIABLE}, else that of the demo's gate).",
        ),
    ] = None,
    scan_id: Annotated[
        str | None, typer.Option(help="Repeat an earlier scan: it returns the same decision again.")
    ] = None,
    annul: Annotated[str | None, typer.Option(metavar="SCAN_ID", help="Annul an earlier scan instead.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")] = False,
) -> None:
    """Scan a pass at a gate. Exit codes: 0 entered or left, 3 refused, 4 no answer, 1 error.

    Example: fitmonitor scan pass.png --gate 'Riverside/Front door' --direction enter
    """
    settings = stack_settings()
    client = ScanClient(f"http://{settings.host}:{settings.port}", choose_door(settings, gate, device))
    if annul:
        _annul(client, annul, as_json=as_json)
        return
    text = _read(code)
    scan_id = scan_id or str(new_id())
    try:
        answer = client.scan(text, direction, scan_id)
    except NoAnswerError:
        _print_no_answer(scan_id, as_json=as_json)
        raise typer.Exit(ExitCode.NO_ANSWER) from None
    if as_json:
        print_json(answer)
    else:
        _print_decision(answer)
    if answer["outcome"] == Outcome.REFUSED:
        raise typer.Exit(ExitCode.ATTENTION)


def _read(code: str) -> str:
    if code == "-":
        if sys.stdin.isatty():
            raise CommandError(
                "the code or picture is missing", "try `fitmonitor pass show EMAIL --code | fitmonitor scan`"
            )
        code = sys.stdin.readline().strip()
    if not _is_file(code):
        if Path(code).suffix.lower() in _PICTURES:
            raise CommandError(f"there is no picture {code}", "name an existing file, or the code itself")
        return code
    try:
        return read_picture(Path(code))
    except NoCodeError as error:
        raise CommandError(str(error), "take the picture again, closer and with less glare") from error


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # longer than a file name may be, or with a zero byte
        return False


def _annul(client: ScanClient, scan_id: str, *, as_json: bool) -> None:
    try:
        answer = client.annul(scan_id)
    except NoAnswerError:
        _print_no_answer(scan_id, as_json=as_json)
        raise typer.Exit(ExitCode.NO_ANSWER) from None
    if as_json:
        print_json(answer)
    else:
        Console(highlight=False).print(f"annulled: {answer['occupancy']} of {answer['capacity']} inside", markup=False)


def _print_decision(answer: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    member = answer.get("member") or {}
    words = [f"{answer['outcome']}:" if answer.get("reason") else answer["outcome"]]
    words += filter(None, [answer.get("reason"), member.get("name")])
    console.print(" ".join(words), markup=False, style="green" if answer["outcome"] != Outcome.REFUSED else "red")
    if answer.get("remedy"):
        console.print(f"remedy: {answer['remedy']}", markup=False)
    replayed = " (this scan was decided before)" if answer.get("replayed") else ""
    console.print(f"{answer['occupancy']} of {answer['capacity']} inside{replayed}", markup=False)


def _print_no_answer(scan_id: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"scan_id": scan_id, "outcome": None})
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"Scan {scan_id} has no answer. Do not open the gate for it.", markup=False)
    console.print(f"Repeat it: fitmonitor scan CODE --scan-id {scan_id}", markup=False)
    console.print(f"Annul it:  fitmonitor scan --annul {scan_id}", markup=False)
