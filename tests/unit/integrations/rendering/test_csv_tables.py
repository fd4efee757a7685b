"""CSV that a spreadsheet opens as text."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.rendering.csv_tables import Cell, csv_table, escape_formulas

SIGNS = "=+-@|\uff1d\uff0b\uff0d\uff20\uff5c\ufe62\ufe63\ufe66\ufe6b\u2212"  # as typed, full-width, small; minus
DANGEROUS = SIGNS + "\t\r\n"
SEPARATORS = ",;\t"
texts = st.text(
    st.sampled_from(f"{DANGEROUS},;\"' \u00a0\ufeff\u200b\u3000aé王1()!") | st.characters(codec="utf-8"), max_size=12
)


def read(table: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(table.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def test_a_table_has_a_byte_order_mark_and_every_letter() -> None:
    table = csv_table([["name"], ["Żółć 王芳 é"]])
    assert table == b"\xef\xbb\xbfname\r\n" + "Żółć 王芳 é\r\n".encode()


@pytest.mark.parametrize("first", SIGNS)
def test_a_text_that_begins_like_a_formula_is_none(first: str) -> None:
    for text in (f"{first}cmd|' /C calc'!A0", f" {first}1", f"\u3000{first}1", f"\ufeff{first}1", f'"{first}1', first):
        assert escape_formulas(text).startswith("'"), repr(text)
        assert read(csv_table([["a", text]])) == [["a", escape_formulas(text)]]


@pytest.mark.parametrize(
    "text", ["Mia", "Anna-Lena", "a=b", "a + b", "it's", "", " ", "12", "1-2", "<b>", "O'Neil | Co"]
)
def test_any_other_text_is_left_alone(text: str) -> None:
    assert escape_formulas(text) == text


@given(texts, texts)
def test_no_cell_is_run_whatever_separates_cells_where_it_is_opened(one: str, other: str) -> None:
    table = csv_table([["a", "b"], [one, other]])
    for delimiter in SEPARATORS:
        cells = [cell for row in read(table, delimiter) for cell in row]
        for cell in cells:
            seen = cell.lstrip(' "\u00a0\ufeff\u200b\u3000')
            assert seen.strip(' \t\r\n"') == "" or seen[0] not in DANGEROUS, (delimiter, table)


@given(texts)
def test_nothing_but_apostrophes_is_added(text: str) -> None:
    assert escape_formulas(text).replace("'", "") == text.replace("'", "")
    assert escape_formulas(escape_formulas(text)) == escape_formulas(text)


def test_numbers_stay_numbers_and_what_is_written_by_us_is_no_formula() -> None:
    row: list[Cell] = [
        -1,
        0,
        Decimal("-12.50"),
        None,
        date(2026, 3, 2),
        datetime(2026, 3, 2, 12, tzinfo=UTC),
        UUID(int=7),
    ]
    assert read(csv_table([row])) == [
        ["-1", "0", "-12.50", "", "2026-03-02", "2026-03-02T12:00:00+00:00", str(UUID(int=7))]
    ]
    assert read(csv_table([["-12.50"]])) == [["'-12.50"]], "typed by somebody"
