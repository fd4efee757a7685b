"""One form of each mail address, compared code point for code point; names and types are searched by keys.

Every step may be repeated: MySQL and MariaDB commit at each change of a table, and a run may be cut short anywhere.

Revision ID: 0009
Revises: 0008
"""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from domain.column_types import Id, exact
from domain.identity.email_addresses import refuse_collisions, repaired_address, usable_address
from domain.text import search_key

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_PART = 1000
_KEY, _ADDRESS = exact(255), exact(254)
_USERS = sa.table("users", sa.column("id", Id()), *map(sa.column, ("email", "name", "search_name")))
_MACHINES = sa.table("machines", sa.column("id", Id()), *map(sa.column, ("type", "search_type")))


def upgrade() -> None:
    """Refuse accounts that would collide before anything is changed; then change tables, then rows.

    Raises:
        CollidingAddressesError: two users have what is one address.
    """
    connection = op.get_bind()
    refuse_collisions(
        (row.id, address)
        for row in _rows(connection, _USERS.c.id, _USERS.c.email)
        if (address := _normal(row.email)) is not None
    )
    if connection.dialect.name != "sqlite":  # which compares code points
        op.alter_column("users", "email", existing_type=sa.String(254), type_=_ADDRESS, existing_nullable=True)
    for table, name in (("users", "search_name"), ("machines", "search_type")):
        if name not in {column["name"] for column in sa.inspect(connection).get_columns(table)}:
            op.add_column(table, sa.Column(name, _KEY, nullable=False, server_default=""))
    indexes = {index["name"] for index in sa.inspect(connection).get_indexes("users")}
    if "ix_users_search_name" not in indexes:
        op.create_index("ix_users_search_name", "users", ["search_name"])
    if "ix_users_name" in indexes:
        op.drop_index("ix_users_name", "users")
    _change(connection, _USERS, lambda row: {"email": _normal(row.email), "search_name": search_key(row.name)})
    _change(connection, _MACHINES, lambda row: {"search_type": search_key(row.type)})


def _normal(email: str | None) -> str | None:
    return usable_address(repaired_address(email))


def _change(connection: sa.Connection, table: sa.TableClause, values: Callable[[sa.Row[Any]], dict[str, Any]]) -> None:
    for row in _rows(connection, *table.columns):
        changed = values(row)
        if any(getattr(row, name) != value for name, value in changed.items()):
            connection.execute(sa.update(table).where(table.c.id == row.id).values(**changed))


def _rows(connection: sa.Connection, *columns: sa.ColumnClause[Any]) -> Iterator[sa.Row[Any]]:
    key, after = columns[0], UUID(int=0)
    while True:
        query = sa.select(*columns).where(key > after).order_by(key).limit(_PART)
        rows = connection.execute(query).all()
        yield from rows
        if len(rows) < _PART:
            return
        after = rows[-1][0]
