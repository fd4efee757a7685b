"""An archive in a folder, a database in a file, and messages as Kafka would bring them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import polars as pl
from confluent_kafka import Message
from sqlalchemy import insert

from consumers.archive import ArchiveHandler, ArchiveMessage, decode_message
from domain.attendance.facts import FactTable
from domain.door.events import DoorEvent, ScanDecided
from domain.door.model import Outcome, Reason
from domain.identity.tables import users
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.archive.delta_table import DeltaStore
from integrations.archive.reading import facts
from integrations.settings import ArchiveSettings
from tests.stores import sqlite_store

TOPIC = "gym-events"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GYM = UUID(int=1)


def entered(member: UUID | None, at: datetime = NOON, visit: UUID | None = None) -> ScanDecided:
    visit = visit or new_id()
    return ScanDecided(
        new_id(), GYM, UUID(int=2), member, Outcome.ENTERED, None, visit, 1, at, at, at, repeat=False, entered_at=at
    )


def left(entry: ScanDecided, at: datetime) -> ScanDecided:
    return ScanDecided(
        *(new_id(), GYM, UUID(int=2), entry.member_id, Outcome.LEFT, None, entry.visit_id, 0, at, at, at),
        repeat=False,
        entered_at=entry.entered_at,
    )


def refused(at: datetime = NOON) -> ScanDecided:
    return ScanDecided(
        new_id(), GYM, UUID(int=2), None, Outcome.REFUSED, Reason.UNKNOWN_PASS, None, 0, at, at, at, repeat=False
    )


def kafka_message(event: DoorEvent, offset: int, partition: int = 0) -> Message:
    return Message(topic=TOPIC, partition=partition, offset=offset, value=msgspec.json.encode(event))


def messages(*events: DoorEvent, first: int = 0, partition: int = 0) -> list[ArchiveMessage]:
    return [decode_message(kafka_message(event, first + n, partition)) for n, event in enumerate(events)]


@dataclass
class ArchiveBench:
    """A handler with what it writes to."""

    folder: Path
    store: Store = field(init=False)
    settings: ArchiveSettings = field(init=False)
    incarnation: str = "one"

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.store = sqlite_store(self.folder)
        self.settings = ArchiveSettings(url=str(self.folder / "archive"))

    def handler(self, archive: DeltaStore | None = None) -> ArchiveHandler:
        """Another consumer."""
        return ArchiveHandler(
            self.store, archive or DeltaStore(self.settings), TOPIC, lambda: self.incarnation, monotonic=lambda: 0.0
        )

    def member(self) -> UUID:
        member_id = new_id()
        values: dict[str, Any] = {"id": member_id, "email": f"{uuid4()}@example.org", "name": "Mia"}
        with self.store.writing() as connection:
            connection.execute(insert(users).values(**values, created_at=NOON))
        return member_id

    def rows(self, table: FactTable, first: date | None = None, days: int = 1) -> list[dict[str, Any]]:
        """The facts that stand."""
        first = first or NOON.date()
        found: pl.DataFrame = facts(DeltaStore(self.settings), table, first, first + timedelta(days=days - 1)).collect()
        return found.to_dicts()

    def versions(self, table: FactTable) -> Sequence[dict[str, Any]]:
        """Everything that is stored."""
        return DeltaStore(self.settings).scan(table).collect().to_dicts()
