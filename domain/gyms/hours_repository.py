"""Opening hours in the database."""

from datetime import date
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from domain.gyms.opening_hours import OpeningException, OpeningHours
from domain.gyms.tables import opening_exceptions, opening_hours
from domain.gyms.timetable import Timetable
from domain.ids import new_id


class HoursRepository:
    """Reads and writes opening hours in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, gym_id: UUID) -> Timetable:
        """All opening hours of a gym, in the order of the week and of the calendar."""
        week, days = opening_hours.c, opening_exceptions.c
        spans = self._connection.execute(
            select(week.weekday, week.opens_minute, week.closes_minute)
            .where(week.gym_id == gym_id)
            .order_by(week.weekday, week.opens_minute)
        )
        exceptions = self._connection.execute(
            select(days.day, days.opens_minute, days.closes_minute, days.note)
            .where(days.gym_id == gym_id)
            .order_by(days.day, days.opens_minute)
        )
        return Timetable(
            tuple(OpeningHours(*row) for row in spans),
            tuple(OpeningException(date.fromisoformat(row[0]), *row[1:]) for row in exceptions),
        )

    def set(self, gym_id: UUID, timetable: Timetable) -> None:
        """Replace all opening hours of a gym."""
        for table in (opening_hours, opening_exceptions):
            self._connection.execute(delete(table).where(table.c.gym_id == gym_id))
        spans = [
            {
                "id": new_id(),
                "gym_id": gym_id,
                "weekday": span.weekday,
                "opens_minute": span.opens_minute,
                "closes_minute": span.closes_minute,
            }
            for span in timetable.hours
        ]
        exceptions = [
            {
                "id": new_id(),
                "gym_id": gym_id,
                "day": one.day.isoformat(),
                "opens_minute": one.opens_minute,
                "closes_minute": one.closes_minute,
                "note": one.note,
            }
            for one in timetable.exceptions
        ]
        if spans:
            self._connection.execute(insert(opening_hours), spans)
        if exceptions:
            self._connection.execute(insert(opening_exceptions), exceptions)
