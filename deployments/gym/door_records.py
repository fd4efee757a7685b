"""The service of lists that the door writes: scans, visits, head counts, conflicts, and who is inside."""

from datetime import date
from uuid import UUID

from domain.clock import Clock
from domain.door.list_model import (
    Ambiguous,
    HeadCount,
    Inside,
    ListedConflict,
    ListedVisit,
    MachinePlace,
    Occupancy,
    RollCall,
    ScanFilter,
)
from domain.door.list_repository import ListRepository
from domain.door.state import StoredScan
from domain.gyms.model import UNKNOWN_GYM, GymProblem, GymRefusal
from domain.gyms.repository import GymRepository
from domain.paging import Page, PageRequest
from domain.unit_of_work import Store

_MOST_IN_A_ROLL_CALL = 20_000


class DoorRecordService:
    """Lists of what the door has written. Retired gyms keep their lists."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def occupancy(self, gym_id: UUID, *, retired: bool = False) -> Occupancy | None:
        """How many are inside a gym in operation; with `retired` also of one that is not."""
        with self._store.reading() as connection:
            return ListRepository(connection).occupancy(gym_id, retired=retired)

    def inside(self, gym_id: UUID, request: PageRequest) -> Page[Inside] | GymRefusal:
        """Who is inside a gym, with names."""
        with self._store.reading() as connection:
            if GymRepository(connection).gym(gym_id, retired=True) is None:
                return UNKNOWN_GYM
            return ListRepository(connection).inside(gym_id, request)

    def roll_call(self, gym_id: UUID) -> RollCall | GymRefusal:
        """Everybody who is inside a gym."""
        with self._store.reading() as connection:
            return ListRepository(connection).roll_call(gym_id, _MOST_IN_A_ROLL_CALL) or UNKNOWN_GYM

    def scans(self, gym_id: UUID, filters: ScanFilter, request: PageRequest) -> Page[StoredScan] | GymRefusal:
        """The scans at a gym."""
        with self._store.reading() as connection:
            if GymRepository(connection).gym(gym_id, retired=True) is None:
                return UNKNOWN_GYM
            return ListRepository(connection).scans_at(gym_id, filters, request)

    def scan_of(self, client_id: UUID, scan_id: str) -> StoredScan | None:
        """The scan that a device or user sent under this id."""
        with self._store.reading() as connection:
            return ListRepository(connection).scan_of(client_id, scan_id)

    def scan_for_staff(self, staff_id: UUID, scan_id: str) -> StoredScan | Ambiguous | None:
        """Any scan: the staff member's own scan of this id, else the row of this id, else any client's."""
        with self._store.reading() as connection:
            queries = ListRepository(connection)
            row_id = _uuid(scan_id)
            return (
                queries.scan_of(staff_id, scan_id)
                or (queries.scan_by_row(row_id) if row_id else None)
                or queries.scan_by_any(scan_id)
            )

    def visits(self, member_id: UUID, request: PageRequest) -> Page[ListedVisit]:
        """A member's visits as the member sees them."""
        with self._store.reading() as connection:
            return ListRepository(connection).visits_of(member_id, request)

    def visits_of_member(self, member_id: UUID, request: PageRequest) -> Page[ListedVisit]:
        """A member's visits as staff see them, newest first."""
        with self._store.reading() as connection:
            return ListRepository(connection).visits_of(member_id, request)

    def visits_at(self, gym_id: UUID, day: date | None, request: PageRequest) -> Page[ListedVisit] | GymRefusal:
        """The visits at a gym, newest first."""
        with self._store.reading() as connection:
            return ListRepository(connection).visits_at(gym_id, day, request) or UNKNOWN_GYM

    def head_counts(self, gym_id: UUID, request: PageRequest) -> Page[HeadCount] | GymRefusal:
        """The head counts of a gym, newest first."""
        with self._store.reading() as connection:
            if GymRepository(connection).gym(gym_id, retired=True) is None:
                return UNKNOWN_GYM
            return ListRepository(connection).head_counts(gym_id, request)

    def conflicts(self, gym_id: UUID, settled: bool, request: PageRequest) -> Page[ListedConflict] | GymRefusal:  # noqa: FBT001 - crosses a handle
        """The conflicts of a gym, newest first."""
        with self._store.reading() as connection:
            if GymRepository(connection).gym(gym_id, retired=True) is None:
                return UNKNOWN_GYM
            return ListRepository(connection).conflicts(gym_id, request, settled=settled)

    def settle_conflict(self, conflict_id: UUID, by: UUID, note: str) -> ListedConflict | GymRefusal:
        """Settle a conflict with a note of the staff."""
        found = self._store.written(
            lambda connection: ListRepository(connection).settle(conflict_id, by, note, self._clock())
        )
        return found or GymRefusal(GymProblem.UNKNOWN_CONFLICT, "There is no such conflict.")

    def machine_place(self, machine_id: UUID) -> MachinePlace | None:
        """The gym of a machine, and who uses the machine."""
        with self._store.reading() as connection:
            return ListRepository(connection).machine_place(machine_id)


def _uuid(text_: str) -> UUID | None:
    try:
        return UUID(text_)
    except ValueError:
        return None
