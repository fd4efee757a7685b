"""What the Gym deployment answers about visits, head counts, conflicts and who is inside."""

from datetime import date
from uuid import UUID

from deployments.store_desk import StoreDesk
from domain.door.records import DoorRecords, GymVisit, HeadCount, ListedConflict, MachinePlace, RollCall
from domain.gyms.model import GymProblem, GymRefusal
from domain.gyms.repository import GymRepository
from domain.gyms.service import UNKNOWN_GYM
from domain.paging import Page, PageRequest

_MOST_IN_A_ROLL_CALL = 20_000


class RecordsDesk(StoreDesk):
    """Answers from what the door has written."""

    def visits_at(self, gym_id: UUID, day: date | None, request: PageRequest) -> Page[GymVisit] | GymRefusal:
        """A gym's visits, newest first; a retired gym's too."""
        with self._reading() as connection:
            found = DoorRecords(connection).visits_at(gym_id, day, request)
            return UNKNOWN_GYM if found is None else found

    def visits_of_member(self, member_id: UUID, request: PageRequest) -> Page[GymVisit]:
        """A member's visits as staff see them, newest first."""
        with self._reading() as connection:
            return DoorRecords(connection).visits_of(member_id, request)

    def head_counts(self, gym_id: UUID, request: PageRequest) -> Page[HeadCount] | GymRefusal:
        """A gym's head counts, newest first."""
        with self._reading() as connection:
            if GymRepository(connection).gym(gym_id, retired=True) is None:
                return UNKNOWN_GYM
            return DoorRecords(connection).head_counts(gym_id, request)

    def conflicts(self, gym_id: UUID, settled: bool, request: PageRequest) -> Page[ListedConflict] | GymRefusal:  # noqa: FBT001 - crosses a handle
        """A gym's conflicts, newest first."""
        with self._reading() as connection:
            if GymRepository(connection).gym(gym_id, retired=True) is None:
                return UNKNOWN_GYM
            return DoorRecords(connection).conflicts(gym_id, request, settled=settled)

    def settle_conflict(self, conflict_id: UUID, by: UUID, note: str) -> ListedConflict | GymRefusal:
        """Note what staff have found out about a conflict."""
        found = self._written(lambda connection: DoorRecords(connection).settle(conflict_id, by, note, self._clock()))
        return found or GymRefusal(GymProblem.UNKNOWN_CONFLICT, "There is no such conflict.")

    def machine_place(self, machine_id: UUID) -> MachinePlace | None:
        """Where a machine is, and who uses it."""
        with self._reading() as connection:
            return DoorRecords(connection).machine_place(machine_id)

    def roll_call(self, gym_id: UUID) -> RollCall | GymRefusal:
        """Everybody who is inside a gym."""
        with self._reading() as connection:
            found = DoorRecords(connection).roll_call(gym_id, _MOST_IN_A_ROLL_CALL)
            return UNKNOWN_GYM if found is None else found
