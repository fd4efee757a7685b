"""The service of gyms and their opening hours."""

from collections.abc import Mapping
from uuid import UUID

from deployments.idempotent_calls import IdempotentCall, write_once
from domain.clock import Clock
from domain.gyms import service
from domain.gyms.hours_repository import HoursRepository
from domain.gyms.model import UNKNOWN_GYM, Gym, GymDetails, GymRefusal
from domain.gyms.repository import GymRepository
from domain.gyms.timetable import GymHours, Timetable
from domain.paging import Page, PageRequest
from domain.unit_of_work import Store


class GymService:
    """Gyms: everybody may read them, admins change them.

    `expected` is the version that the caller has read; None accepts any version.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def gyms(self, request: PageRequest, *, retired: bool = False) -> Page[Gym]:
        """The gyms in operation, or the retired ones."""
        with self._store.reading() as connection:
            return GymRepository(connection).gyms(request, retired=retired)

    def gym(self, gym_id: UUID, *, retired: bool = False) -> Gym | None:
        """A gym in operation; with `retired` also one that is not."""
        with self._store.reading() as connection:
            return GymRepository(connection).gym(gym_id, retired=retired)

    def create(self, details: GymDetails, *, call: IdempotentCall | None = None) -> Gym:
        """Create a gym."""
        return write_once(
            self._store, call, Gym, lambda connection: service.create_gym(connection, details, self._clock())
        )

    def change(self, gym_id: UUID, changes: Mapping[str, str | int | None], expected: int | None) -> Gym | GymRefusal:
        """Change some details of a gym, named as in `GymDetails`."""
        return self._store.written(lambda connection: service.change_gym(connection, gym_id, changes, expected))

    def retire(self, gym_id: UUID, *, force: bool = False) -> Gym | GymRefusal:
        """Close a gym to entries. If people are inside, only `force` retires it."""
        return self._store.written(
            lambda connection: service.retire_gym(connection, gym_id, self._clock(), force=force)
        )

    def reopen(self, gym_id: UUID) -> Gym | GymRefusal:
        """Undo a retirement."""
        return self._store.written(lambda connection: service.reopen_gym(connection, gym_id))

    def delete(self, gym_id: UUID, expected: int | None) -> GymRefusal | None:
        """Delete a gym that nothing refers to."""
        return self._store.written(lambda connection: service.delete_gym(connection, gym_id, expected))

    def opening_hours(self, gym_id: UUID, *, retired: bool = False) -> GymHours | GymRefusal:
        """The opening hours of a gym in operation; with `retired` also of one that is not."""
        with self._store.reading() as connection:
            # Read the gym first. Hours that are newer than its version then cause a refused change, not a lost one.
            gym = GymRepository(connection).gym(gym_id, retired=retired)
            return UNKNOWN_GYM if gym is None else GymHours(gym, HoursRepository(connection).of(gym_id))

    def set_opening_hours(self, gym_id: UUID, timetable: Timetable, expected: int | None) -> GymHours | GymRefusal:
        """Replace all opening hours of a gym."""
        gym = self._store.written(lambda connection: service.set_hours(connection, gym_id, timetable, expected))
        return gym if isinstance(gym, GymRefusal) else GymHours(gym, timetable)
