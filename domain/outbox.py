"""Events that are told only if the change that they tell of was committed.

An event is a row, written in the transaction of its change and published afterwards.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, insert

from domain.tables import outbox


def store_events(connection: Connection, topic: str, events: Iterable[tuple[UUID, Any]], now: datetime) -> None:
    """Write events to be published in this order.

    Args:
        topic: a topic's name in the protocol, such as `gym-events`.
        events: pairs of the key that gives order, and a dataclass.
    """
    rows = [
        {"topic": topic, "key": str(key), "payload": msgspec.json.encode(event).decode(), "created_at": now}
        for key, event in events
    ]
    if rows:
        connection.execute(insert(outbox), rows)
