"""`fitmonitor kafka dead-letters` and `replay`: messages that could not be handled, shown and sent again."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Annotated

import msgspec
import typer

from cluster.cli.dead_letter_search import FoundLetter, decoded, find, letter_as_json, newest, not_replayed
from cluster.cli.kafka_connection import stack_kafka
from cluster.cli.output import local_time, print_json, print_list, print_plain, printable, shortened
from cluster.errors import ExitCode
from integrations.kafka.dead_letter_reader import DeadLetterReader, LetterId, StoredLetter
from integrations.kafka.dead_letter_replay import DeadLetterReplay, NotSent
from integrations.settings import KafkaSettings

app = typer.Typer(no_args_is_help=False)

_BATCH = 100
_KEY_WIDTH = 36
_VALUE_WIDTH = 60
_REASON_WIDTH = 100


def _letter_id(text: str) -> LetterId:
    try:
        return LetterId.read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Id = Annotated[
    LetterId, typer.Argument(metavar="ID", parser=_letter_id, help="The id that the list prints.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def dead_letters(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of results.")] = 20,
    after: Annotated[
        LetterId | None, typer.Option(metavar="ID", parser=_letter_id, help="Only letters older than this one.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Only letters with this text in their reason.")] = "",
    *,
    json: Json = False,
) -> None:
    """List dead letters, newest first: messages that could not be handled, why, and whether they were sent again.

    Example: fitmonitor kafka dead-letters --limit 5 --reason undecodable
    """
    if context.invoked_subcommand is not None:
        return
    with stack_kafka() as kafka, DeadLetterReader(kafka) as reader:
        found = newest(reader, limit, after, reason)
    if json:
        print_json([letter_as_json(letter, with_value=False) for letter in found])
        return
    print_list(
        found,
        {
            "id": lambda letter: letter.stored.id,
            "written": lambda letter: letter.stored.written_at,
            "message": _position,
            "key": lambda letter: "-" if letter.stored.key is None else shortened(letter.stored.key, _KEY_WIDTH),
            "reason": lambda letter: shortened(letter.reason, _REASON_WIDTH),
            "value": lambda letter: "-" if letter.value is None else shortened(letter.value, _VALUE_WIDTH),
            "sent again": lambda letter: letter.replayed_at or "-",
        },
        as_json=False,
    )
    if len(found) == limit:
        typer.echo(f"For older ones: --after {found[-1].stored.id}", err=True)


@app.command()
def show(letter_id: Id, *, json: Json = False) -> None:
    """Show one dead letter with its whole value.

    Example: fitmonitor kafka dead-letters show 0:17
    """
    with stack_kafka() as kafka, DeadLetterReader(kafka) as reader:
        letter = find(reader, {letter_id})[letter_id]
    if json:
        print_json(letter_as_json(letter, with_value=True))
        return
    for name, value in letter_as_json(letter, with_value=False).items():
        text = local_time(value, seconds=True) if isinstance(value, datetime) else printable(value)
        print_plain(f"{name + ':':<13} {text or '-'}")
    if letter.stored.letter is not None and not letter.stored.letter.whole:
        print_plain("The message is too large for a dead letter: this is its beginning. All of it is in its topic.")
    print_plain(_readable(letter.value))


def replay(
    ids: Annotated[
        list[LetterId] | None,
        typer.Argument(metavar="ID", parser=_letter_id, help="Ids that the list prints.", show_default=False),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All that were not sent again yet.")] = False,
    reason: Annotated[str, typer.Option(help="With --all: only those with this text in their reason.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Send named ones although they were sent before.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    json: Json = False,
) -> None:
    """Send dead letters again, unchanged, to the topics that they came from.

    A scan among them is past its deadline: it is recorded as refused (too_late) and opens no gate. An annulment is
    carried out. Exit codes: 0 all sent, 3 nothing to send, 1 error.

    Example: fitmonitor kafka replay --all --reason 'Data too long' --yes
    """
    if bool(ids) == every or (reason and not every) or (again and every):
        raise typer.BadParameter("name ids, or use --all; --reason needs --all, --again needs ids")
    with stack_kafka() as kafka, DeadLetterReader(kafka) as reader:
        selected = not_replayed(reader, reason) if every else _named(reader, set(ids or ()), again=again)
        if selected and not yes:
            typer.confirm(f"Send {len(selected)} dead letters again?", abort=True, err=True)
        failed = _send(kafka, reader, selected) if selected else []
    not_sent = {one.id for one in failed}
    if json:
        sent = [str(id_) for id_ in sorted(selected - not_sent)]
        print_json({"sent": sent, "not_sent": [{"id": str(one.id), "reason": one.reason} for one in failed]})
    else:
        print_plain(f"{len(selected) - len(failed)} sent again." if selected else "There is nothing to send again.")
        for one in failed:
            print_plain(f"{one.id} not sent: {printable(one.reason)}")
    if failed:
        raise typer.Exit(ExitCode.FAILURE)
    if not selected:
        raise typer.Exit(ExitCode.ATTENTION)


def _named(reader: DeadLetterReader, ids: set[LetterId], *, again: bool) -> set[LetterId]:
    return {id_ for id_, letter in find(reader, ids).items() if again or letter.replayed_at is None}


def _send(kafka: KafkaSettings, reader: DeadLetterReader, selected: set[LetterId]) -> list[NotSent]:
    """Send the letters in small batches: they can be large, and each batch is marked as sent soon after."""
    replayer = DeadLetterReplay(kafka)
    letters: Iterator[StoredLetter] = (
        entry for entry in reader.entries() if isinstance(entry, StoredLetter) and entry.id in selected
    )
    failed: list[NotSent] = []
    while batch := list(islice(letters, _BATCH)):
        failed += replayer.send(batch)
    return failed


def _position(letter: FoundLetter) -> str:
    message = letter.stored.letter
    return f"{message.topic} {message.partition}:{message.offset}" if message else "-"


def _readable(value: bytes | None) -> str:
    """A value as indented JSON; where it is not JSON as base64, which keeps every byte."""
    if value is None:
        return "(no value)"
    if decoded(value) is None:
        return f"base64: {b64encode(value).decode()}"
    return "\n".join(map(printable, msgspec.json.format(value, indent=2).decode().splitlines()))
