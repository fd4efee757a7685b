"""The archive's consumer as a process of its own that kills or freezes itself where it is told to."""

import os
import signal
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from threading import Thread

import polars as pl
from confluent_kafka import Consumer, TopicPartition

from consumers.archive import ArchiveConsumerDependencies
from domain.attendance.facts import FactTable
from integrations.archive.delta_table import DeltaStore
from integrations.kafka.clients import group_consumer_config
from integrations.logs import configure_logging
from integrations.settings import Settings


class ArchivePoint(StrEnum):
    """Where the consumer dies or freezes."""

    NOWHERE = "nowhere"
    BETWEEN_FILE_AND_COMMIT = "between_file_and_commit"  # or a moment later
    BETWEEN_TABLES = "between_tables"
    BEFORE_OFFSETS = "before_offsets"
    FROZEN_BEFORE_COMMIT = "frozen_before_commit"  # until it is woken; once


class DoomedStore(DeltaStore):
    def __init__(self, settings: Settings, point: ArchivePoint, after: int) -> None:
        super().__init__(settings.archive)
        self._folder = Path(settings.archive.url)
        self._point = point
        self._left = after

    def append(self, table: FactTable, rows: pl.DataFrame, transactions: Mapping[str, int]) -> None:
        due = self._left <= 0
        if due and self._point is ArchivePoint.BETWEEN_TABLES and table is not FactTable.VISITS:
            os.kill(os.getpid(), signal.SIGKILL)
        if due and self._point is ArchivePoint.FROZEN_BEFORE_COMMIT:
            self._point = ArchivePoint.NOWHERE
            os.kill(os.getpid(), signal.SIGSTOP)
        if due and self._point is ArchivePoint.BETWEEN_FILE_AND_COMMIT:
            Thread(target=self._kill_at_file, args=(table, self._files(table)), daemon=True).start()
        super().append(table, rows, transactions)
        self._left -= len(rows)

    def _files(self, table: FactTable) -> set[Path]:
        return set((self._folder / table.value).glob("day=*/*.parquet"))

    def _kill_at_file(self, table: FactTable, before: set[Path]) -> None:
        while self._files(table) == before:
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGKILL)


class DoomedConsumer(Consumer):
    point = ArchivePoint.NOWHERE

    def store_offsets(self, *, offsets: list[TopicPartition]) -> None:  # type: ignore[override]
        if self.point is ArchivePoint.BEFORE_OFFSETS:
            os.kill(os.getpid(), signal.SIGKILL)
        super().store_offsets(offsets=offsets)


def run(settings: Settings, point: ArchivePoint, after: int) -> None:
    """Consume until killed.

    Args:
        settings: where the database, Kafka and the archive are.
        point: where it strikes.
        after: the number of rows that are appended before.
    """
    configure_logging(settings)
    parts = ArchiveConsumerDependencies(settings)
    parts.handler._archive = DoomedStore(settings, point, after)  # noqa: SLF001 - a test's own part
    parts.consumer.close()
    parts.consumer = consumer = DoomedConsumer(group_consumer_config(settings.kafka, settings.kafka.archive_group))
    consumer.point = point
    parts.build_loop().run()
