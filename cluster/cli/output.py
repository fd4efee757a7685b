"""What a command writes on standard output."""

from typing import Any

import msgspec
import typer


def print_plain(text: str) -> None:
    """A line as it is: no colour, no folding, so that a shell can take it on."""
    typer.echo(text)


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can say
    """Plain data, dataclasses included, as indented JSON."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
