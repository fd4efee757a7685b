"""The service of the live view: a gym as it is now, and the service level of its doors."""

from datetime import datetime, timedelta
from uuid import UUID

from domain.clock import Clock
from domain.door.list_repository import ListRepository
from domain.gyms.model import UNKNOWN_GYM, GymRefusal
from domain.gyms.repository import GymRepository
from domain.live.model import LiveReading
from domain.live.repository import LiveQueries
from domain.live.service_level import ScanWindow, ServiceLevel, level_of
from domain.live.trend import filled, first_minute, minute_of
from domain.paging import PageRequest
from domain.unit_of_work import Store

_FIRST_INSIDE = PageRequest(limit=200)


class LiveService:
    """The present state of gyms."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def snapshot(
        self, gym_id: UUID, trend_known_to: datetime | None = None, *, names: bool = False
    ) -> LiveReading | GymRefusal:
        """A gym as it is now.

        Args:
            gym_id: which.
            trend_known_to: the last minute of a trend that was read before; while that minute lasts no other is read.
            names: for staff: also the first who are inside, by name, and also a retired gym.
        """
        now = self._clock()
        with self._store.reading() as connection:
            counted = ListRepository(connection).occupancy(gym_id, retired=names)
            if counted is None:
                return UNKNOWN_GYM
            since = trend_known_to if trend_known_to == minute_of(now) else first_minute(now)
            live = LiveQueries(connection)
            inside = ListRepository(connection).inside(gym_id, _FIRST_INSIDE).items if names else None
            return LiveReading(
                gym_id=gym_id,
                occupancy=counted.occupancy,
                capacity=counted.capacity,
                as_of=now,
                trend=filled(live.minutes(gym_id, since), since, now, counted.occupancy),
                free_machines=live.free_machines(gym_id),
                inside=inside,
                retired=counted.retired,
            )

    def service_level(self, gym_id: UUID, over: timedelta, at_most: int) -> ServiceLevel | GymRefusal:
        """How well a gym's doors were served lately, by no more than so many scans, the newest."""
        now = self._clock()
        with self._store.reading() as connection:
            if GymRepository(connection).gym(gym_id, retired=True) is None:
                return UNKNOWN_GYM
            live = LiveQueries(connection)
            found = live.timings(gym_id, now - over, at_most + 1)
            window = ScanWindow(gym_id, now - over, now, at_most, limited=len(found) > at_most)
            return level_of(window, found[:at_most], live.devices(gym_id))
