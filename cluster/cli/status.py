"""`fitmonitor status`."""

from typing import Annotated

import typer
from rich.console import Console

from cluster.cli.output import print_json
from cluster.status.documents import document
from cluster.status.report import Reporter
from cluster.status.target import Target
from cluster.status.watch import Looks, watch, whole

_WITHIN_S = 4.0  # of each question; what hangs must not hold the others up
_USUAL_S = 2.0


def status(
    seconds: Annotated[
        float | None,
        typer.Argument(min=0.2, max=3600, help=f"With --watch: how often; usually {_USUAL_S:g}.", show_default=False),
    ] = None,
    *,
    again: Annotated[bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs; with --watch one object a line.")] = False,
) -> None:
    """Show each part's health, what Serve runs, what waits in Kafka, who is inside, processes and memory.

    Of the stack of FITMONITOR_DATA_DIR; or of one elsewhere that FITMONITOR_URL names, as far as it tells.
    Ends with 0 when doors are answered and with 1 when not; with --watch with 0.

    Example: fitmonitor status --watch 5
    """
    if seconds is not None and not again:
        raise typer.BadParameter("seconds are for --watch: fitmonitor status --watch 5")
    target = Target.find()
    console = Console(highlight=False)
    if again:
        try:
            watch(Looks(_WITHIN_S), seconds or _USUAL_S, as_json=as_json, console=console)
        except KeyboardInterrupt:
            raise typer.Exit(0) from None
    report = Reporter(target, _WITHIN_S).report()
    if as_json:
        print_json(document(report, {}))
    else:
        console.print(whole((report, {}, ""), console.width))
    if not report.ready:
        raise typer.Exit(1)
