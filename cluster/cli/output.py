"""What a command writes on standard output."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import typer

from domain.money import Money


def print_plain(text: str) -> None:
    """A line as it is: no colour, no folding, so that a shell can take it on."""
    typer.echo(text)


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can say
    """Plain data, dataclasses included, as indented JSON."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_columns(rows: Sequence[Sequence[object]]) -> None:
    """Rows below one another, each cell as wide as the widest of its column; the id comes first."""
    cells = [[shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print_plain("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_list(
    items: Sequence[Mapping[str, Any]],
    row: Callable[[Mapping[str, Any]], Sequence[object]],
    *,
    as_json: bool,
    more: bool = False,
) -> None:
    """A list of the API's documents, a row each; where there was more than asked for, that is said beside it."""
    if as_json:
        print_json(items)
    elif items:
        print_columns([row(item) for item in items])
    else:
        typer.echo("There are none.", err=True)
    if more:
        typer.echo("There are more: see --limit.", err=True)


def print_fields(document: Mapping[str, Any], *names: str) -> None:
    """Named fields of a document, a line each; those that are null or empty are left out."""
    fields = [(name.replace("_", " "), shown(document[name])) for name in names]
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        if value:
            print_plain(f"{name.ljust(width)}  {value}")


def shown(value: object) -> str:
    """A value of a document on one line, with nothing in it that a terminal would take for an order."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping) and value.keys() == {"amount", "currency"}:
        return str(Money(value["amount"], value["currency"]))
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))


def moment(text: str | None) -> str:
    """A time of the API to the minute, in UTC; empty where there is none."""
    if text is None:
        return ""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
