"""The service for the existing web client, which knows gyms and machines by legacy numbers."""

from datetime import date
from uuid import UUID

from domain.clock import Clock
from domain.door.service import entitled_until
from domain.gyms.repository import GymRepository
from domain.machines.legacy_number_repository import LegacyNumberRepository, NumberedGym, NumberedMachine
from domain.unit_of_work import Store


class LegacyNumberService:
    """Gyms and machines by their legacy numbers."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def gym(self, number: int) -> NumberedGym | None:
        """The gym in operation with this number, and who is inside."""
        with self._store.reading() as connection:
            return LegacyNumberRepository(connection).gym(number)

    def machines(self, gym_number: int) -> list[NumberedMachine]:
        """The machines in service of the gym with this number."""
        with self._store.reading() as connection:
            return LegacyNumberRepository(connection).machines(gym_number)

    def machine(self, gym_number: int, number: int) -> NumberedMachine | None:
        """One of these machines."""
        with self._store.reading() as connection:
            return LegacyNumberRepository(connection).machine(gym_number, number)

    def entitled_until(self, gym_number: int, member_id: UUID) -> date | None:
        """The end date of the membership with which a member may enter the gym today; None: they may not enter."""
        with self._store.reading() as connection:
            gym = GymRepository(connection).of_number(gym_number)
            return None if gym is None else entitled_until(connection, member_id, gym.id, self._clock())
