"""`fitmonitor bench`: how fast the running stack answers scans, next to the most that Serve can do."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cluster.errors import CommandError
from cluster.load.benchmark.benchmark import BenchmarkOptions, Part, run_benchmark
from cluster.load.benchmark.large_past import LargePastOptions
from cluster.load.benchmark.own_stack import started_stack
from cluster.load.benchmark.report import print_result
from cluster.load.past_visits import Past
from cluster.settings_file import running_stack, stack_settings

_MAX_CONNECTIONS = 512
_DEFAULT_PARTS = "levels,open,beside,burst,inside"


def bench(
    parts: Annotated[
        str,
        typer.Option(
            metavar="PART,…",
            help="levels, open (loop), beside (other work), burst, inside; large only with --start.",
        ),
    ] = _DEFAULT_PARTS,
    connections: Annotated[
        str, typer.Option(metavar="N,…", help="Numbers of connections, measured one after the other.")
    ] = "1,8,32,64,128",
    # A pass is valid for 55 s, and all of them are signed before the clock runs.
    seconds: Annotated[float, typer.Option(min=1, max=20, help="Length of each measurement.")] = 10,
    gyms: Annotated[int, typer.Option(min=10, max=1000, help="Number of gyms, with two gates each.")] = 10,
    members: Annotated[int, typer.Option(min=2000, max=200_000, help="Number of members, half of them inside.")] = 2000,
    refused: Annotated[float, typer.Option(min=0, max=0.9, help="Share of scans that must be refused.")] = 0.1,
    seed: Annotated[int, typer.Option(help="The same seed gives the same sequence of scans.")] = 1,
    large_members: Annotated[int, typer.Option(min=20_000, help="For large: number of members.")] = 1_000_000,
    visits: Annotated[int, typer.Option(min=0, help="For large: number of their past visits.")] = 20_000_000,
    scanned_visits: Annotated[
        int, typer.Option(min=0, help="For large: the latest so many visits have their two scans.")
    ] = 10_000_000,
    buffer_pool_mib: Annotated[int, typer.Option(min=128, help="For large: MariaDB's innodb_buffer_pool_size.")] = 8192,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all figures to this file.", dir_okay=False)
    ] = None,
    *,
    start: Annotated[
        bool, typer.Option("--start", help="Start the full profile in an empty folder, and stop it afterwards.")
    ] = False,
) -> None:
    """Measure scans through the running stack, and check every answer. Exits with 1 if one is missing or wrong.

    The stack must be of the full profile and durable. Two no-ops are measured in the same Serve for comparison.

    Example: fitmonitor bench --connections 1,64 --seconds 5 --json bench.json
    """
    selected = _parts(parts)
    if Part.LARGE in selected and not start:
        raise CommandError("large would fill the running stack", "add --start: a stack of its own, removed afterwards")
    large = LargePastOptions(Past(large_members, visits, min(scanned_visits, visits)), buffer_pool_mib * 1024**2)
    options = BenchmarkOptions(selected, _numbers(connections), seconds, gyms, members, seed, refused, large)
    console = Console(highlight=False, soft_wrap=True)
    with ExitStack() as open_until_done:
        if start:
            open_until_done.enter_context(started_stack(console, keep=Part.LARGE not in selected))
        record = running_stack()
        settings = stack_settings()
        with console.status("checking the settings") as status:
            result = run_benchmark(settings, record, options, status)
        print_result(console, result)
        if json_file is not None:
            json_file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if not result["good"]:
        raise typer.Exit(1)


def _parts(text: str) -> frozenset[Part]:
    try:
        return frozenset(Part(word.strip()) for word in text.split(","))
    except ValueError as error:
        raise CommandError(f"--parts {text} names an unknown part", f"as in {_DEFAULT_PARTS}") from error


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(1 <= number <= _MAX_CONNECTIONS for number in numbers):
        raise CommandError(f"--connections {text} names no numbers from 1 to {_MAX_CONNECTIONS}", "as in 1,8,32,64,128")
    return numbers
