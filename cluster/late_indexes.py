"""Indexes of a table in MySQL or MariaDB, built by sorting once its rows are there.

That takes a fraction of the time that keeping them up row by row takes, above all where they do not fit into memory.
"""

from collections.abc import Sequence
from typing import Any, Protocol

# What a foreign key needs, of this table or of another that refers to it, the server does not let go.
_NEEDED = (
    "SELECT column_name FROM information_schema.key_column_usage"
    " WHERE table_schema = DATABASE() AND table_name = %s AND referenced_table_name IS NOT NULL"
    " UNION SELECT referenced_column_name FROM information_schema.key_column_usage"
    " WHERE table_schema = DATABASE() AND referenced_table_name = %s"
)
_INDEXES = (
    "SELECT index_name, MIN(non_unique), MIN(IF(seq_in_index = 1, column_name, NULL)), GROUP_CONCAT(CONCAT('`',"
    " column_name, '`', IF(sub_part IS NULL, '', CONCAT('(', sub_part, ')'))) ORDER BY seq_in_index)"
    " FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = %s"
    " AND index_name <> 'PRIMARY' GROUP BY index_name"
)


class Cursor(Protocol):
    """PEP 249's, as far as it is used here."""

    def execute(self, statement: str, values: Any = ..., /) -> Any:  # noqa: ANN401 - each driver's own
        """Run a statement."""

    def fetchall(self) -> Sequence[Any]:
        """The rows that it gave."""


def drop_indexes(cursor: Cursor, table: str) -> str:
    """Drop a table's indexes, but for its key and those that a foreign key needs.

    Returns:
        The statement that builds them anew; empty where none was dropped.
    """
    cursor.execute(_NEEDED, (table, table))
    needed = {str(name) for (name,) in cursor.fetchall()}
    cursor.execute(_INDEXES, (table,))
    found = [
        (str(name), bool(many), str(columns)) for name, many, first, columns in cursor.fetchall() if first not in needed
    ]
    if not found:
        return ""
    cursor.execute(f"ALTER TABLE `{table}` " + ", ".join(f"DROP INDEX `{name}`" for name, _, _ in found))
    adding = (f"ADD {'' if many else 'UNIQUE '}INDEX `{name}` ({columns})" for name, many, columns in found)
    return f"ALTER TABLE `{table}` " + ", ".join(adding)
