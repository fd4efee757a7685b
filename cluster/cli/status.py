"""`fitmonitor status`: the state of a stack."""

from typing import Annotated

import typer
from rich.console import Console

from cluster.cli.output import print_json
from cluster.errors import ExitCode
from cluster.status.report import report_as_json
from cluster.status.reporter import Reporter
from cluster.status.target import Target
from cluster.status.watch import Observation, Observer, full_view, watch

_TIMEOUT_S = 4.0  # of each query, so that a server that hangs does not delay the others
_DEFAULT_INTERVAL_S = 2.0


def status(
    seconds: Annotated[
        float | None,
        typer.Argument(
            min=0.2,
            max=3600,
            help=f"The interval of --watch, in seconds (default: {_DEFAULT_INTERVAL_S:g}).",
            show_default=False,
        ),
    ] = None,
    *,
    again: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; with --watch one object per line.")] = False,
) -> None:
    """Show the health of each service, Ray Serve's replicas, Kafka lag, who is inside, processes and memory.

    It shows the stack of the data folder FITMONITOR_DATA_DIR, or of FITMONITOR_URL as far as it can be queried from
    here. Exit code 1: scans are not answered.

    Example: fitmonitor status --watch 5
    """
    if seconds is not None and not again:
        raise typer.BadParameter("SECONDS needs --watch: fitmonitor status --watch 5")
    target = Target.find()
    console = Console(highlight=False)
    if again:
        try:
            watch(Observer(_TIMEOUT_S), seconds or _DEFAULT_INTERVAL_S, as_json=as_json, console=console)
        except KeyboardInterrupt:
            raise typer.Exit(0) from None
    report = Reporter(target, _TIMEOUT_S).report()
    if as_json:
        print_json(report_as_json(report, {}))
    else:
        console.print(full_view(Observation(report), console.width))
    if not report.ready:
        raise typer.Exit(ExitCode.FAILURE)
