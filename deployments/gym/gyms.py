"""What the Gym deployment answers about gyms and their opening hours."""

from collections.abc import Mapping
from uuid import UUID

from deployments.keyed_call import KeyedCall
from deployments.store_desk import StoreDesk
from domain.gyms import service
from domain.gyms.hours_repository import HoursRepository
from domain.gyms.model import Gym, GymDetails, GymRefusal
from domain.gyms.registry import GymRegistry
from domain.gyms.repository import GymRepository
from domain.gyms.timetable import GymHours, Timetable
from domain.paging import Page, PageRequest


class GymsDesk(StoreDesk):
    """Gyms: read by everybody, changed by admins. `expected` is always the version that was read; None: any."""

    def gyms(self, request: PageRequest, *, retired: bool = False) -> Page[Gym]:
        """The gyms in operation, or those retired."""
        with self._reading() as connection:
            return GymRepository(connection).gyms(request, retired=retired)

    def gym(self, gym_id: UUID, *, retired: bool = False) -> Gym | None:
        """One gym in operation; with `retired` also one that is not."""
        with self._reading() as connection:
            return GymRepository(connection).gym(gym_id, retired=retired)

    def create_gym(self, details: GymDetails, *, call: KeyedCall | None = None) -> Gym:
        """Set a gym up."""
        return self._written_once(
            call, Gym, lambda connection: service.create_gym(GymRegistry(connection), details, self._clock())
        )

    def change_gym(
        self, gym_id: UUID, changes: Mapping[str, str | int | None], expected: int | None
    ) -> Gym | GymRefusal:
        """Change some of a gym's details, named as in `GymDetails`."""
        return self._written(lambda connection: service.change_gym(GymRegistry(connection), gym_id, changes, expected))

    def retire_gym(self, gym_id: UUID, *, force: bool = False) -> Gym | GymRefusal:
        """Let nobody into a gym any more; one with people inside is retired by `force` only."""
        return self._written(
            lambda connection: service.retire_gym(GymRegistry(connection), gym_id, self._clock(), force=force)
        )

    def reopen_gym(self, gym_id: UUID) -> Gym | GymRefusal:
        """Take a retirement back."""
        return self._written(lambda connection: service.reopen_gym(GymRegistry(connection), gym_id))

    def delete_gym(self, gym_id: UUID, expected: int | None) -> GymRefusal | None:
        """Remove a gym to which nothing refers."""
        return self._written(lambda connection: service.delete_gym(GymRegistry(connection), gym_id, expected))

    def opening_hours(self, gym_id: UUID, *, retired: bool = False) -> GymHours | GymRefusal:
        """The opening hours of a gym in operation; with `retired` also of one that is not."""
        with self._reading() as connection:
            # The gym first: hours that are newer than its version are refused when they are changed, never lost.
            gym = GymRepository(connection).gym(gym_id, retired=retired)
            return service.UNKNOWN_GYM if gym is None else GymHours(gym, HoursRepository(connection).of(gym_id))

    def set_opening_hours(self, gym_id: UUID, timetable: Timetable, expected: int | None) -> GymHours | GymRefusal:
        """Set all opening hours of a gym anew."""
        gym = self._written(
            lambda connection: service.set_hours(
                GymRegistry(connection), HoursRepository(connection), gym_id, timetable, expected
            )
        )
        return gym if isinstance(gym, GymRefusal) else GymHours(gym, timetable)
