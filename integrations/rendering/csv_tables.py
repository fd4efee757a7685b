"""CSV tables (RFC 4180) that spreadsheets read as text. All CSV is written here.

UTF-8 with a byte order mark, because Excel assumes a legacy encoding otherwise. Text that a spreadsheet would run as a
formula gets an apostrophe in front (https://owasp.org/www-community/attacks/CSV_Injection).
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

Cell = str | int | Decimal | date | UUID | None
"""What a cell may be. Numbers stay numbers, negative ones too: what they begin with is ours. One that somebody typed
is text."""

# A full-width or small form is the same sign to a spreadsheet: compared after NFKC.
_FORMULA = frozenset("=+-@|\u2212")
# A spreadsheet that separates cells by semicolons or tabs begins a new one here, whatever we have quoted.
_SEPARATORS = re.compile("([;\t\r\n])")
_UNSEEN = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})  # categories of spaces, control and format characters


def csv_table(rows: Iterable[Sequence[Cell]]) -> bytes:
    """A CSV file; the first row contains the column names.

    Args:
        rows: of cells; times must be in UTC.
    """
    text = io.StringIO()
    csv.writer(text).writerows([_written(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def escape_formulas(text: str) -> str:
    """The text with an apostrophe before everything that a spreadsheet would run."""
    pieces = _SEPARATORS.split(text)
    pieces[::2] = [f"'{piece}" if _is_formula(piece) else piece for piece in pieces[::2]]
    whole = "".join(pieces)
    return f"'{whole}" if whole[:1] in {"\t", "\r", "\n"} else whole


def _written(cell: Cell) -> str:
    if isinstance(cell, str):
        return escape_formulas(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    return "" if cell is None else str(cell)


def _is_formula(piece: str) -> bool:
    for letter in piece:
        if letter != '"' and unicodedata.category(letter) not in _UNSEEN:
            return unicodedata.normalize("NFKC", letter)[0] in _FORMULA
    return False
