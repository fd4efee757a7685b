"""Rows survive the text format of a backup."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import Column, Float, create_engine, inspect

from cluster.backup.row_format import Kind, RowFormat, kind_of
from domain.tables import metadata
from integrations.settings import Settings
from tests.unit.cluster.backup.filled_folder import checksums, restored, taken, url_of

ROWS = [
    (UUID(int=1), datetime(2026, 3, 29, 0, 59, 59, 999_999, tzinfo=UTC), -(2**63), True, 'a\x00\\"\n\u2028😀'),
    (UUID(int=2**128 - 1), datetime(1970, 1, 1, tzinfo=UTC), 2**63 - 1, False, ""),
    (None, None, None, None, None),
]


def test_every_kind_of_value_survives_a_round_trip() -> None:
    text = RowFormat(list(Kind))
    lines = text.encode(ROWS)
    assert text.decode(lines) == ROWS
    assert lines.count(b"\n") == len(ROWS)


@pytest.mark.parametrize("line", [b'["1", null, null, null, null]', b"[null]", b'[null,null,1,1,"a"]', b"{", b"[] []"])
def test_a_line_that_does_not_fit_its_columns_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        RowFormat(list(Kind)).decode(line + b"\n")


def test_every_column_of_the_store_has_a_kind() -> None:
    assert {kind_of(column) for table in metadata.sorted_tables for column in table.columns} == set(Kind)


def test_an_unknown_column_type_is_an_error() -> None:
    with pytest.raises(TypeError, match="ratio"):
        kind_of(Column("ratio", Float))


def test_every_table_is_in_a_backup_and_restored(stack: Settings, empty: Settings, tmp_path: Path) -> None:
    first = taken(stack, tmp_path / "one")
    engine = create_engine(url_of(stack))
    there = set(inspect(engine).get_table_names())
    engine.dispose()
    assert {table.name for table in first.tables} == there - {"alembic_version"}
    assert [table.rows for table in first.tables] == [2] * len(first.tables), "each has rows to lose"
    restored(empty, tmp_path / "one")
    assert checksums(taken(empty, tmp_path / "two")) == checksums(first)
