"""`fitmonitor kafka lag`: how many messages wait for each consumer group."""

from typing import Annotated

import typer

from cluster.cli import dead_letters
from cluster.cli.kafka_connection import stack_kafka
from cluster.cli.output import print_json, print_plain, print_table
from cluster.errors import ExitCode
from integrations.kafka.group_lag import GroupLag, PartitionLag, group_lag

app = typer.Typer(no_args_is_help=True, help="Show the lag of the Kafka consumers; list, show and replay dead letters.")
app.add_typer(dead_letters.app, name="dead-letters")
app.command("replay")(dead_letters.replay)


@app.command()
def lag(
    most: Annotated[
        int | None,
        typer.Option("--most", min=0, help="End with exit code 3 if a group has more waiting messages than this."),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--every", help="Show partitions without lag, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all groups and partitions as JSON.")] = False,
) -> None:
    """Show how many messages wait for each consumer group, and which member owns each partition.

    Exit codes: 0, 3 if more than --most messages wait, 1 error.

    Example: fitmonitor kafka lag --most 1000
    """
    with stack_kafka() as kafka:
        groups = [group_lag(kafka, group, topic) for group, topic in kafka.subscriptions]
    if as_json:
        print_json([_as_json(group) for group in groups])
    else:
        for group in groups:
            _show(group, every=every)
    if most is not None and any(group.lag > most for group in groups):
        raise typer.Exit(ExitCode.ATTENTION)


def _show(group: GroupLag, *, every: bool) -> None:
    behind = [partition for partition in group.partitions if partition.lag]
    state = "the broker has no group state" if group.state is None else f"{group.members} members, {group.state}"
    print_plain(
        f"{group.group} on {group.topic}: {group.lag} messages wait in {len(behind)} of {len(group.partitions)} "
        f"partitions; {state}"
    )

    def member(partition: PartitionLag) -> str:
        return partition.member or ("none" if group.state is not None else "?")

    partitions = group.partitions if every else behind
    if partitions:
        print_table(
            partitions,
            {
                "partition": "partition",
                "committed": lambda partition: "never" if partition.committed is None else partition.committed,
                "end": "end",
                "lag": "lag",
                "member": member,
            },
        )


def _as_json(group: GroupLag) -> dict[str, object]:
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
