"""`fitmonitor demo`: a gym's peak hour against the running stack."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cluster.cli.database import opened
from cluster.cli.output import print_json, print_plain
from cluster.errors import CommandError
from cluster.load.rush.command import Played, play
from cluster.load.rush.report import lines_of
from cluster.load.rush.rush import Wish
from cluster.settings_file import running_stack, stack_settings

app = typer.Typer(no_args_is_help=True, help="Play a gym's peak hour against the running stack.")

DISAGREE, INTERRUPTED = 3, 130
_FEWEST_A_GYM = 10


@app.callback()
def demo() -> None:
    """Play a gym's peak hour against the running stack."""


@app.command()
def rush(
    members: Annotated[int, typer.Option(min=10, max=100_000, help="One visit each.")] = 2000,
    gyms: Annotated[int, typer.Option(min=1, max=50, help="With two gates each; the first one draws most.")] = 10,
    minutes: Annotated[float, typer.Option(min=1, max=600, help="How long it lasts, simulated.")] = 60,
    speed: Annotated[float, typer.Option(min=0.1, max=600, help="Simulated minutes in a real one.")] = 60,
    seed: Annotated[int, typer.Option(help="The same one gives the same people.")] = 1,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where FILE.png and FILE.svg go; else into the data folder.")
    ] = None,
    *,
    leave_inside: Annotated[
        bool, typer.Option("--leave-inside", help="Let nobody out at the end; the next rush does it first.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All figures as JSON.")] = False,
) -> None:
    """Simulate an evening's peak hour at gyms of its own, and check every answer of the doors.

    Ends with 0 if all is as it must be, 3 if not, 1 if the stack went away, 130 after Ctrl-C, which waits for
    the scans under way; a second one does not. The gyms, "Rush gym 1" and on, and their members stay for the next
    rush; the demo's are left alone.

    Example: fitmonitor demo rush --members 500 --gyms 4 --picture rush
    """
    if members < _FEWEST_A_GYM * gyms:
        raise typer.BadParameter(
            f"{members} members are too few for {gyms} gyms; at least {_FEWEST_A_GYM} a gym", param_hint="--members"
        )
    record, settings = running_stack(), stack_settings()
    wish = Wish(members, gyms, minutes, speed, seed, leave_inside)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with opened(settings) as store:
        played = play(settings, record, store, wish, picture, console)
    if as_json:
        print_json({**played.summary.as_json(), "pictures": [str(file) for file in played.pictures]})
    else:
        for line in lines_of(played.summary):
            print_plain(line)
        for file in played.pictures:
            print_plain(f"picture   {file}")
    _end(played)


def _end(played: Played) -> None:
    summary = played.summary
    if not summary.is_good:
        raise typer.Exit(DISAGREE)
    if summary.is_interrupted:
        raise typer.Exit(INTERRUPTED)
    if summary.unanswered:
        raise CommandError(
            f"the stack went away: {summary.unanswered} scans have no answer",
            "fitmonitor status; the next rush lets out whoever is inside",
        )
