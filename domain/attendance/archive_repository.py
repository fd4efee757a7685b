"""What the archive keeps in the database: the order of a topic's incarnations, and the days that were verified."""

from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy import Connection, delete, insert, select

from domain.attendance.facts import FactTable
from domain.attendance.tables import archive_days, archive_sources


class ArchiveRepository:
    """The tables `archive_sources` and `archive_days`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def source_number(self, topic: str, incarnation: str, now: datetime) -> int:
        """The number of an incarnation of a topic: 1 or more, and greater than those of earlier incarnations."""
        known = select(archive_sources.c.number).where(
            archive_sources.c.topic == topic, archive_sources.c.incarnation == incarnation
        )
        number = self._connection.execute(known).scalar_one_or_none()
        if number is not None:
            return int(number)
        values = {"topic": topic, "incarnation": incarnation, "first_seen_at": now}
        added = self._connection.execute(insert(archive_sources).values(values)).inserted_primary_key
        assert added is not None  # noqa: S101 - one row was inserted
        return int(added[0])

    def verified_files(self, table: FactTable) -> Mapping[date, str]:
        """The verified days of a table, each with a digest of its files."""
        rows = self._connection.execute(select(archive_days).where(archive_days.c.table_name == table.value))
        return {date.fromisoformat(row.day): row.files for row in rows}

    def mark_verified(self, table: FactTable, day: date, files: str, now: datetime) -> None:
        """Store that a day was verified with these files."""
        key = archive_days.c.table_name == table.value, archive_days.c.day == day.isoformat()
        self._connection.execute(delete(archive_days).where(*key))
        values = {"table_name": table.value, "day": day.isoformat(), "files": files, "verified_at": now}
        self._connection.execute(insert(archive_days).values(values))
