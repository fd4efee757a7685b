"""The tables, columns and checks that a database already has, for migrations that continue after an interruption.

MySQL and MariaDB commit at each change of a table. A migration that is interrupted leaves a part of its changes, and
must skip them in the next run.
"""

from sqlalchemy import Connection, inspect


def existing_tables(connection: Connection) -> set[str]:
    """The names of all tables."""
    return set(inspect(connection).get_table_names())


def existing_columns(connection: Connection, table: str) -> set[str]:
    """The names of a table's columns."""
    return {column["name"] for column in inspect(connection).get_columns(table)}


def existing_checks(connection: Connection, table: str) -> set[str]:
    """The names of a table's check constraints."""
    return {check["name"] for check in inspect(connection).get_check_constraints(table) if check["name"]}
