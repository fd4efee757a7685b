"""What the Gym deployment answers to the existing web client, which knows gyms and machines by their numbers."""

from datetime import date
from uuid import UUID

from deployments.store_desk import StoreDesk
from domain.door.entitlement import entitled_until
from domain.machines.numbered_repository import NumberedGym, NumberedMachine, Numbers


class NumberedDesk(StoreDesk):
    """Answers by number."""

    def numbered_gym(self, number: int) -> NumberedGym | None:
        """The gym in operation of a number, and who is inside."""
        with self._reading() as connection:
            return Numbers(connection).gym(number)

    def numbered_machines(self, gym_number: int) -> list[NumberedMachine]:
        """The machines in service of the gym of a number."""
        with self._reading() as connection:
            return Numbers(connection).machines(gym_number)

    def numbered_machine(self, gym_number: int, number: int) -> NumberedMachine | None:
        """One of those machines."""
        with self._reading() as connection:
            return Numbers(connection).machine(gym_number, number)

    def entitled_until(self, gym_number: int, member_id: UUID) -> date | None:
        """The end of the membership by which a member may enter the gym of a number today; None: they may not."""
        with self._reading() as connection:
            found = Numbers(connection).gym(gym_number)
            return None if found is None else entitled_until(connection, member_id, found.gym.id, self._clock())
