"""`fitmonitor demo`: a simulated peak hour against the running stack."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cluster.cli.database import opened
from cluster.cli.output import print_json, print_plain
from cluster.errors import CommandError
from cluster.load.rush.rush import run_rush
from cluster.load.rush.summary import lines_of
from cluster.load.rush.visitors import RushOptions
from cluster.settings_file import running_stack, stack_settings

app = typer.Typer(no_args_is_help=True, help="Simulate a peak hour against the running stack.")

VIOLATED, INTERRUPTED = 3, 130
_MIN_PER_GYM = 10


@app.callback()
def demo() -> None:
    """Simulate a peak hour against the running stack."""


@app.command()
def rush(
    members: Annotated[int, typer.Option(min=10, max=100_000, help="Number of members, with one visit each.")] = 2000,
    gyms: Annotated[
        int, typer.Option(min=1, max=50, help="Number of gyms, with two gates each; the first one is the most popular.")
    ] = 10,
    minutes: Annotated[float, typer.Option(min=1, max=600, help="Simulated length.")] = 60,
    speed: Annotated[float, typer.Option(min=0.1, max=600, help="Simulated minutes per real minute.")] = 60,
    seed: Annotated[int, typer.Option(help="The same seed gives the same visitors.")] = 1,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write FILE.png and FILE.svg; default: into the data folder.")
    ] = None,
    *,
    leave_inside: Annotated[
        bool, typer.Option("--leave-inside", help="Let nobody out at the end; the next rush begins with that.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Simulate an evening's peak hour at gyms of its own, and check every answer of the doors.

    Exits with 0 if every invariant holds, 3 if one is violated, 1 if the stack became unavailable, and 130 after
    Ctrl-C, which waits for the scans under way. A second Ctrl-C does not wait. The gyms, "Rush gym 1" and so on, and
    their members stay for the next rush; those of the demo are not touched.

    Example: fitmonitor demo rush --members 500 --gyms 4 --picture rush
    """
    if members < _MIN_PER_GYM * gyms:
        raise typer.BadParameter(
            f"{members} members are too few for {gyms} gyms; at least {_MIN_PER_GYM} a gym", param_hint="--members"
        )
    record, settings = running_stack(), stack_settings()
    options = RushOptions(members, gyms, minutes, speed, seed, leave_inside)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with opened(settings) as store:
        result = run_rush(settings, record, store, options, picture, console)
    if as_json:
        print_json(result)
    else:
        for line in lines_of(result):
            print_plain(line)
        for file in result["pictures"]:
            print_plain(f"picture   {file}")
    if not result["is_good"]:
        raise typer.Exit(VIOLATED)
    if result["is_interrupted"]:
        raise typer.Exit(INTERRUPTED)
    if result["unanswered"]:
        raise CommandError(
            f"the stack became unavailable: {result['unanswered']} scans have no answer",
            "run `fitmonitor status`; the next rush lets out whoever is inside",
        )
