"""What commands print: lines, JSON, tables, fields, times in the reader's time zone."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.money import Money

Columns = Mapping[str, str | Callable[[Any], object]]
"""The columns of a table by their titles: a field of each item, or a function of the item. A `datetime` is a time."""

_GAP = 2
_BREAK_AT = 12
_ID = re.compile(r"[0-9a-f-]{36}")


def print_plain(text: str) -> None:
    """Print a line without colours and without wrapping, so that another program can read it."""
    typer.echo(text)


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can say
    """Print plain data or dataclasses as indented JSON. Times are RFC 3339 UTC."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_result(result: Any, message: str, *, as_json: bool) -> None:  # noqa: ANN401 - whatever JSON can say
    """Print the result of a command, as JSON or as a sentence."""
    if as_json:
        print_json(result)
    else:
        print_plain(message)


def print_list(items: Sequence[Any], columns: Columns, *, as_json: bool, more: bool = False) -> None:
    """Print a list as JSON or as a table, and on standard error whether it is empty or longer than `--limit`.

    Args:
        items: documents of the API, or dataclasses.
        columns: of the table.
        as_json: print the items as they are.
        more: whether there are more items than `--limit` allowed.
    """
    if as_json:
        print_json(items)
    elif items:
        print_table(items, columns)
    else:
        typer.echo("There are none.", err=True)
    if more:
        typer.echo("There are more: raise --limit.", err=True)


def print_table(items: Sequence[Any], columns: Columns) -> None:
    """Print a row for each item below the titles of the columns.

    On a terminal the columns are aligned and wrapped; where it is too narrow, each item is a block of lines. Elsewhere
    a row is a line of tab-separated values.
    """
    rows = [[_value(item, column) for column in columns.values()] for item in items]
    zones = _offsets(rows)
    titles = [_title(title, [row[position] for row in rows], zones) for position, title in enumerate(columns)]
    cells = [[_cell(value, zones) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for line in (titles, *cells):
            print_plain("\t".join(line))
        return
    console = Console(highlight=False)
    widths = _widths([titles, *cells], console.width)
    if widths is None:
        _print_blocks(titles, cells)
        return
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for position, (title, width) in enumerate(zip(titles, widths, strict=True)):
        numbers = any(isinstance(row[position], int) and not isinstance(row[position], bool) for row in rows)
        table.add_column(Text(title), justify="right" if numbers else "left", width=width, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def print_document(document: Mapping[str, Any], *names: str, as_json: bool, **texts: object) -> None:
    """Print a document as JSON, or its named fields, of which `texts` replace some or are additional."""
    if as_json:
        print_json(document)
    else:
        print_fields({**document, **texts}, *names)


def print_fields(document: Mapping[str, Any], *names: str) -> None:
    """Print the named fields of a document, one a line. Fields that are null or empty are left out."""
    fields = [(name.replace("_", " "), printable(document[name])) for name in names]
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        if value:
            print_plain(f"{name.ljust(width)}  {value}")


def printable(value: object) -> str:
    """A value as text on one line. Control characters are escaped, so that a terminal does not obey them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return local_time(value)
    if isinstance(value, Mapping) and value.keys() == {"amount", "currency"}:
        return str(Money(value["amount"], value["currency"]))
    if isinstance(value, list):
        return ", ".join(map(printable, value))
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in str(value)
    )


def shortened(text: bytes | str, width: int) -> str:
    """The beginning of a text or of bytes in UTF-8, as `printable`, at most `width` characters long."""
    if isinstance(text, bytes):
        text = text[: 4 * width].decode(errors="backslashreplace")
    text = printable(text[: width + 1])
    return text if len(text) <= width else text[: width - 1] + "…"


def parsed_time(text: str | None) -> datetime | None:
    """A time of the API as `datetime`; None for none."""
    return None if text is None else datetime.fromisoformat(text)


def local_time(time: datetime | str | None, *, seconds: bool = False) -> str:
    """A time in the reader's time zone with its offset, as `2026-03-01 13:00 UTC+01:00`; empty for none.

    Args:
        time: an aware `datetime`, or RFC 3339 text of the API.
        seconds: whether to print seconds.
    """
    if isinstance(time, str):
        time = parsed_time(time)
    if time is None:
        return ""
    local = time.astimezone()
    return f"{local:{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}} {_offset(local)}"


def _value(item: Any, column: str | Callable[[Any], object]) -> object:  # noqa: ANN401 - a document or a dataclass
    if callable(column):
        return column(item)
    found: object = item[column] if isinstance(item, Mapping) else getattr(item, column)
    return found


def _offsets(rows: Sequence[Sequence[object]]) -> set[str]:
    """The offsets of all times of a table: more than one around a change to or from daylight saving time."""
    return {_offset(value.astimezone()) for row in rows for value in row if isinstance(value, datetime)}


def _title(title: str, values: Sequence[object], zones: set[str]) -> str:
    """A column's title in capitals; that of a column of times names their offset where all times have the same."""
    is_time = any(isinstance(value, datetime) for value in values)
    return f"{title.upper()} ({next(iter(zones))})" if is_time and len(zones) == 1 else title.upper()


def _cell(value: object, zones: set[str]) -> str:
    if isinstance(value, datetime) and len(zones) == 1:
        return f"{value.astimezone():%Y-%m-%d %H:%M}"
    return printable(value)


def _widths(rows: Sequence[Sequence[str]], available: int) -> Sequence[int] | None:
    """The widths of the columns, reduced to the terminal by wrapping at spaces; None where that is not enough."""
    columns = list(zip(*rows, strict=True))
    available -= _GAP * (len(columns) - 1)
    widths = [max(map(cell_len, column)) for column in columns]
    least = [max(_least_width(cell) for cell in column) for column in columns]
    while sum(widths) > available:
        position = max(range(len(widths)), key=lambda each: widths[each] - least[each])
        if widths[position] == least[position]:
            return None
        widths[position] -= 1
    return widths


def _least_width(cell: str) -> int:
    """The width of the longest word. A long word may be broken, but not an id, which people copy."""
    widths = (cell_len(word) if _ID.fullmatch(word) else min(cell_len(word), _BREAK_AT) for word in cell.split())
    return max(widths, default=0)


def _print_blocks(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Print each row as a block with a line for each column."""
    width = max(map(len, titles))
    for number, row in enumerate(cells):
        if number:
            print_plain("")
        for title, cell in zip(titles, row, strict=True):
            print_plain(f"{title.ljust(width)}  {cell}".rstrip())


def _offset(local: datetime) -> str:
    digits = f"{local:%z}"
    return f"UTC{digits[:3]}:{digits[3:5]}" if local.utcoffset() else "UTC"
