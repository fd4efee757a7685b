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
"""Type of a cell. Numbers stay numbers, also negative ones. A number that a user typed is text."""

# A spreadsheet treats full-width and small forms alike: compared after NFKC.
_FORMULA = frozenset("=+-@|\u2212")
# Some spreadsheets split cells at semicolons or tabs, even inside quotes.
_SEPARATORS = re.compile("([;\t\r\n])")
_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})  # categories of spaces, control and format characters


def csv_table(rows: Iterable[Sequence[Cell]]) -> bytes:
    """A CSV file; the first row contains the column names.

    Args:
        rows: of cells; times must be in UTC.
    """
    text = io.StringIO()
    csv.writer(text).writerows([_cell_text(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def escape_formulas(text: str) -> str:
    """The text with an apostrophe before everything that a spreadsheet would run."""
    parts = _SEPARATORS.split(text)
    parts[::2] = [f"'{part}" if _is_formula(part) else part for part in parts[::2]]
    escaped = "".join(parts)
    return f"'{escaped}" if escaped[:1] in {"\t", "\r", "\n"} else escaped


def _cell_text(cell: Cell) -> str:
    if isinstance(cell, str):
        return escape_formulas(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    return "" if cell is None else str(cell)


def _is_formula(part: str) -> bool:
    for character in part:
        if character != '"' and unicodedata.category(character) not in _INVISIBLE:
            return unicodedata.normalize("NFKC", character)[0] in _FORMULA
    return False
