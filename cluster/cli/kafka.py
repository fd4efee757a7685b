"""`fitmonitor kafka`: how far the consumers are, and what could not be handled."""

from enum import IntEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cluster.cli import dead_letters
from cluster.cli.kafka_connection import kafka_of_the_stack
from cluster.cli.output import print_json
from integrations.kafka.group_lag import GroupLag, PartitionLag, group_lag

app = typer.Typer(no_args_is_help=True, help="How far the consumers are, and what they could not handle.")
app.add_typer(dead_letters.app, name="dead-letters")
app.command("replay")(dead_letters.replay)


class LagExit(IntEnum):
    """What the command ends with, besides 0 and the 1 of every error."""

    TOO_MANY_WAIT = 3


@app.command()
def lag(
    most: Annotated[
        int | None, typer.Option("--most", min=0, help="End with 3 when more messages than these wait for a group.")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--every", help="Show partitions without a lag too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Every group with every partition.")] = False,
) -> None:
    """Show how many messages wait for each consumer group, and who owns their partitions.

    Ends with 0, with 3 when more than --most wait, with 1 for an error.

    Example: fitmonitor kafka lag --most 1000
    """
    with kafka_of_the_stack() as kafka:
        groups = [group_lag(kafka, group, topic) for group, topic in kafka.subscriptions]
    if as_json:
        print_json([_plain(group) for group in groups])
    else:
        for group in groups:
            _show(group, every=every)
    if most is not None and any(group.lag > most for group in groups):
        raise typer.Exit(LagExit.TOO_MANY_WAIT)


def _show(group: GroupLag, *, every: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    behind = [partition for partition in group.partitions if partition.lag]
    who = "this broker cannot say who consumes" if group.state is None else f"{group.members} members, {group.state}"
    console.print(
        f"{group.group} on {group.topic}: {group.lag} messages wait in {len(behind)} of {len(group.partitions)} "
        f"partitions; {who}",
        markup=False,
    )
    shown = group.partitions if every else behind
    if shown:
        table = Table("partition", "committed", "end", "lag", "member", box=None)
        for partition in shown:
            table.add_row(*_row(partition, known=group.state is not None))
        console.print(table)


def _row(partition: PartitionLag, *, known: bool) -> tuple[str, ...]:
    committed = "never" if partition.committed is None else str(partition.committed)
    owner = partition.member or ("[red]nobody[/red]" if known else "?")
    return str(partition.partition), committed, str(partition.end), str(partition.lag), owner


def _plain(group: GroupLag) -> dict[str, object]:
    return {
        **group.as_json(),
        "partitions": [
            {
                "partition": one.partition,
                "committed": one.committed,
                "end": one.end,
                "lag": one.lag,
                "member": one.member,
            }
            for one in group.partitions
        ],
    }
