"""`fitmonitor kafka dead-letters` and `replay`: what could not be handled, looked at and sent again."""

from base64 import b64encode
from collections.abc import Iterator
from enum import IntEnum
from itertools import islice
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cluster.cli.dead_letter_search import Letter, as_json, find, newest, plain, visible, waiting
from cluster.cli.kafka_connection import kafka_of_the_stack
from cluster.cli.output import print_json, print_plain
from integrations.kafka.dead_letter_reader import DeadLetterReader, LetterId, StoredLetter
from integrations.kafka.dead_letter_replay import DeadLetterReplay, NotSent
from integrations.settings import KafkaSettings

app = typer.Typer()

_AT_ONCE = 100
_VALUE_SHOWN = 60
_REASON_SHOWN = 100


class ReplayExit(IntEnum):
    """What `replay` ends with, besides 0 and the 1 of every error."""

    NOTHING_TO_SEND = 3


def _letter_id(text: str) -> LetterId:
    try:
        return LetterId.read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Id = Annotated[
    LetterId, typer.Argument(metavar="ID", parser=_letter_id, help="As the list shows it.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.callback(invoke_without_command=True)
def dead_letters(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
    after: Annotated[
        LetterId | None, typer.Option(metavar="ID", parser=_letter_id, help="Go on after this one, with older ones.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Only those with these words in their reason.")] = "",
    *,
    json: Json = False,
) -> None:
    """List what could not be handled, the newest first, and whether it was sent again.

    Example: fitmonitor kafka dead-letters --limit 5 --reason undecodable
    """
    if context.invoked_subcommand is not None:
        return
    with kafka_of_the_stack() as kafka, DeadLetterReader(kafka) as reader:
        found = newest(reader, limit, after, reason)
    if json:
        print_json([plain(letter, whole=False) for letter in found])
        return
    console = Console(highlight=False, soft_wrap=True)
    if not found:
        console.print("There are none.")
        return
    table = Table("id", "when", "message", "key", "reason", "value", "sent again", box=None)
    for letter in found:
        table.add_row(*map(Text, _row(letter)))
    console.print(table)
    if len(found) == limit:
        console.print(f"older ones, if any: --after {found[-1].stored.id}")


@app.command()
def show(letter_id: Id, *, json: Json = False) -> None:
    """Show one dead letter with everything that is known of it, and the whole value.

    Example: fitmonitor kafka dead-letters show 0:17
    """
    with kafka_of_the_stack() as kafka, DeadLetterReader(kafka) as reader:
        letter = find(reader, {letter_id})[letter_id]
    if json:
        print_json(plain(letter, whole=True))
        return
    for name, value in plain(letter, whole=False).items():
        print_plain(f"{name + ':':<13} {visible('-' if value is None else str(value))}")
    if letter.stored.letter is not None and not letter.stored.letter.whole:
        print_plain("It was too large for a letter: this is its beginning, the whole still lies where it was.")
    print_plain(_readable(letter.value))


def replay(
    ids: Annotated[
        list[LetterId] | None,
        typer.Argument(metavar="ID", parser=_letter_id, help="As the list shows them.", show_default=False),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All that were not sent again yet.")] = False,
    reason: Annotated[str, typer.Option(help="With --all: only those with these words in their reason.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Named ones also when they were sent again before.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    json: Json = False,
) -> None:
    """Send dead letters to the topics that they came from again, as they were.

    A scan among them is past its deadline: it is recorded as refused, too_late, and nobody is admitted by it. An
    annulment is carried out. Ends with 0 when all were sent, 3 when there was nothing to send, 1 for an error.

    Example: fitmonitor kafka replay --all --reason 'Data too long' --yes
    """
    if bool(ids) == every or (reason and not every) or (again and every):
        raise typer.BadParameter("name letters, or use --all; --reason goes with --all, --again with names")
    with kafka_of_the_stack() as kafka, DeadLetterReader(kafka) as reader:
        wanted = waiting(reader, reason) if every else _named(reader, set(ids or ()), again=again)
        if wanted and not yes:
            typer.confirm(f"Send {len(wanted)} dead letters again?", abort=True, err=True)
        failed = _send(kafka, reader, wanted) if wanted else []
    not_sent = {one.id for one in failed}
    if json:
        sent = [str(id_) for id_ in sorted(wanted - not_sent)]
        print_json({"sent": sent, "not_sent": [{"id": str(one.id), "reason": one.reason} for one in failed]})
    else:
        print_plain(f"{len(wanted) - len(failed)} sent again." if wanted else "There is nothing to send again.")
        for one in failed:
            print_plain(f"{one.id} not sent: {visible(one.reason)}")
    if failed:
        raise typer.Exit(1)
    if not wanted:
        raise typer.Exit(ReplayExit.NOTHING_TO_SEND)


def _named(reader: DeadLetterReader, ids: set[LetterId], *, again: bool) -> set[LetterId]:
    return {id_ for id_, letter in find(reader, ids).items() if again or letter.replayed_at is None}


def _send(kafka: KafkaSettings, reader: DeadLetterReader, wanted: set[LetterId]) -> list[NotSent]:
    """A few at a time: letters can be large, and what was sent is marked soon after."""
    replay_ = DeadLetterReplay(kafka)
    letters: Iterator[StoredLetter] = (
        entry for entry in reader.entries() if isinstance(entry, StoredLetter) and entry.id in wanted
    )
    failed: list[NotSent] = []
    while some := list(islice(letters, _AT_ONCE)):
        failed += replay_.send(some)
    return failed


def _row(letter: Letter) -> tuple[str, ...]:
    stored, said = letter.stored, letter.stored.letter
    return (
        str(stored.id),
        f"{stored.written_at:%Y-%m-%d %H:%M:%S}",
        f"{visible(said.topic)} {said.partition}:{said.offset}" if said else "-",
        "-" if stored.key is None else visible(stored.key, 36),
        visible(letter.reason, _REASON_SHOWN),
        "-" if letter.value is None else visible(letter.value, _VALUE_SHOWN),
        f"{letter.replayed_at:%Y-%m-%d %H:%M:%S}" if letter.replayed_at else "-",
    )


def _readable(value: bytes | None) -> str:
    """JSON over several lines; anything else as base64, which can be turned back into its bytes."""
    if value is None:
        return "(no value)"
    if as_json(value) is None:
        return f"base64: {b64encode(value).decode()}"
    return "\n".join(map(visible, msgspec.json.format(value, indent=2).decode().splitlines()))
