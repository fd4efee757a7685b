"""The outbox: events that are published if, and only if, their change was committed.

An event is a row that is written in the transaction of its change, published afterwards, and then deleted.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Table, Text, func, select, text
from sqlalchemy.dialects import sqlite

from domain.column_types import Instant, code
from domain.metadata import metadata
from domain.sql_literals import instant_literal

outbox = Table(
    "outbox",
    metadata,
    # A gym's own events are written under its lock: their numbers rise in the order of their commits. Those that
    # another gym's scan brings (a visit ended or reopened elsewhere) are not: never page by "number > last".
    Column("id", BigInteger().with_variant(sqlite.INTEGER(), "sqlite"), primary_key=True, autoincrement=True),
    Column("topic", code(64), nullable=False),
    Column("key", code(64), nullable=False),
    Column("payload", Text, nullable=False),  # JSON
    Column("created_at", Instant, nullable=False),
)


Order = tuple[str, str]  # topic and key; events of the same topic and key keep their order

_encoder = msgspec.json.Encoder()
_OLDEST = select(outbox.c.id, outbox.c.topic, outbox.c.key, outbox.c.payload).order_by(outbox.c.id)
# Reads each row by its key alone. With `IN (…)` or `BETWEEN` the server reads neighbouring rows too, in a small table
# all of them, and waits for every transaction that has written one and not committed yet.
_REMOVE_ON_SERVER = text(
    "DELETE o FROM JSON_TABLE(:ids, '$[*]' COLUMNS (id BIGINT PATH '$')) AS gone"
    " STRAIGHT_JOIN outbox AS o FORCE INDEX (PRIMARY) WHERE o.id = gone.id"
)
_REMOVE_IN_FILE = text("DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(:ids))")


class WaitingEvent(NamedTuple):
    """An event that was committed and not published yet. `payload` is JSON."""

    id: int
    topic: str
    key: str
    payload: str

    @property
    def order(self) -> Order:
        """The events with which it keeps its order."""
        return self.topic, self.key


class Waiting(NamedTuple):
    """The number of waiting events, up to a limit, and when the oldest was written."""

    events: int
    oldest: datetime | None


def store_events(connection: Connection, topic: str, events: Iterable[tuple[UUID, Any]], now: datetime) -> None:
    """Write events, which are published in this order.

    Args:
        topic: such as `gym-events`.
        events: pairs of a message key and a dataclass.
    """
    bound: list[str] = []
    for key, event in events:
        bound += (topic, str(key), _encoder.encode(event).decode())
    if bound:
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        row = f"({mark},{mark},{mark},{instant_literal(now)})"
        rows = ",".join([row] * (len(bound) // 3))
        # SQL text, for speed: see domain/sql_literals.py.
        connection.exec_driver_sql(
            f"INSERT INTO outbox (topic, `key`, payload, created_at) VALUES {rows}",  # noqa: S608
            tuple(bound),
        )


def oldest_events(connection: Connection, at_most: int) -> list[WaitingEvent]:
    """The oldest events.

    Always read from the head: a transaction that commits late has a smaller number than events that were read before.
    """
    return [WaitingEvent._make(row) for row in connection.execute(_OLDEST.limit(at_most))]


def remove_events(connection: Connection, ids: Sequence[int]) -> None:
    """Delete these events. Does not wait for transactions that write others."""
    if ids:
        on_server = connection.dialect.name in {"mysql", "mariadb"}
        statement = _REMOVE_ON_SERVER if on_server else _REMOVE_IN_FILE
        connection.execute(statement, {"ids": msgspec.json.encode(ids).decode()})


def count_waiting(connection: Connection, at_most: int) -> Waiting:
    """Count the waiting events up to a limit; the cost does not grow beyond it."""
    head = select(outbox.c.created_at).order_by(outbox.c.id).limit(at_most).subquery()
    row = connection.execute(select(func.count(), func.min(head.c.created_at))).one()
    return Waiting(row[0], row[1])
