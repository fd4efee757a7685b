"""What the Gym deployment answers: gyms, gates, devices, users, and the lists of scans and visits.

A plain class; every answer is plain data, and so is every refusal.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

from domain.clock import Clock, system_clock
from domain.door.queries import Ambiguous, DoorQueries, Inside, KeptScan, Occupancy, ScanFilter, Visit
from domain.gyms import service as gyms_service
from domain.gyms.model import Device, DeviceKey, Gate, Gym, GymProblem, GymRefusal, NewDevice, Serves
from domain.gyms.repository import GymRepository
from domain.identity import service as identity_service
from domain.identity.model import Role
from domain.identity.repository import User, UserRepository
from domain.identity.service import UserRefusal
from domain.paging import Page, PageRequest
from domain.unit_of_work import Store, is_away, should_decide_again

_ATTEMPTS = 3


class StoreAwayError(Exception):
    """The database cannot be had for now. Plain, so that it crosses processes."""


class GymDesk:
    """Answers on one store; its methods may run on several threads at once.

    Every method raises `StoreAwayError` while the database cannot be had.

    Args:
        store: the database.
        clock: the present.
    """

    def __init__(self, store: Store, clock: Clock = system_clock) -> None:
        self._store = store
        self._clock = clock

    def ping(self) -> bool:
        """That it answers, whatever the database does."""
        return True

    def ping_database(self) -> bool:
        """That the database answers."""
        with self._reading() as connection:
            connection.execute(text("SELECT 1"))
        return True

    def device_keys(self, device_ids: Collection[UUID]) -> dict[UUID, DeviceKey]:
        """What is needed to recognise those devices that are in use."""
        with self._reading() as connection:
            return GymRepository(connection).device_keys(device_ids)

    def gates_by_id(self, gate_ids: Collection[UUID]) -> dict[UUID, Gate]:
        """Those of the gates that exist."""
        with self._reading() as connection:
            return GymRepository(connection).gates_by_id(gate_ids)

    def know_user(self, user_id: UUID, email: str, roles: Collection[Role]) -> User | UserRefusal:
        """The row of a user whose token is valid, made when there is none."""
        for attempt in range(_ATTEMPTS):
            try:
                with self._writing() as connection:
                    return identity_service.know_user(UserRepository(connection), user_id, email, roles, self._clock())
            except DBAPIError as error:
                # Another replica was first: next time the row is found.
                if not should_decide_again(error) or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def user(self, user_id: UUID) -> User | None:
        """One user."""
        with self._reading() as connection:
            return UserRepository(connection).user(user_id)

    def gyms(self, request: PageRequest) -> Page[Gym]:
        """The gyms."""
        with self._reading() as connection:
            return GymRepository(connection).gyms(request)

    def gym(self, gym_id: UUID) -> Gym | None:
        """One gym."""
        with self._reading() as connection:
            return GymRepository(connection).gym(gym_id)

    def gates(self, gym_id: UUID, request: PageRequest) -> Page[Gate] | GymRefusal:
        """The gates of a gym."""
        with self._reading() as connection:
            repository = GymRepository(connection)
            return _UNKNOWN_GYM if repository.gym(gym_id) is None else repository.gates(gym_id, request)

    def create_gate(self, gym_id: UUID, name: str, serves: Serves) -> Gate | GymRefusal:
        """Give a gym another gate."""
        with self._writing() as connection:
            return gyms_service.create_gate(GymRepository(connection), gym_id, name, serves, self._clock())

    def devices(self, gate_id: UUID, request: PageRequest) -> Page[Device] | GymRefusal:
        """The devices of a gate."""
        with self._reading() as connection:
            repository = GymRepository(connection)
            if repository.gate(gate_id) is None:
                return GymRefusal(GymProblem.UNKNOWN_GATE, "There is no such gate.")
            return repository.devices_of(gate_id, request)

    def create_device(self, gate_id: UUID, name: str) -> NewDevice | GymRefusal:
        """Give a gate another device."""
        with self._writing() as connection:
            return gyms_service.create_device(GymRepository(connection), gate_id, name, self._clock())

    def revoke_device(self, device_id: UUID) -> GymRefusal | None:
        """Take a device's credential back."""
        with self._writing() as connection:
            return gyms_service.revoke_device(GymRepository(connection), device_id, self._clock())

    def occupancy(self, gym_id: UUID) -> Occupancy | None:
        """Who is inside a gym, counted."""
        with self._reading() as connection:
            return DoorQueries(connection).occupancy(gym_id)

    def inside(self, gym_id: UUID, request: PageRequest) -> Page[Inside] | GymRefusal:
        """Who is inside a gym, by name."""
        with self._reading() as connection:
            if GymRepository(connection).gym(gym_id) is None:
                return _UNKNOWN_GYM
            return DoorQueries(connection).inside(gym_id, request)

    def scans(self, gym_id: UUID, wanted: ScanFilter, request: PageRequest) -> Page[KeptScan] | GymRefusal:
        """The scans at a gym."""
        with self._reading() as connection:
            if GymRepository(connection).gym(gym_id) is None:
                return _UNKNOWN_GYM
            return DoorQueries(connection).scans_at(gym_id, wanted, request)

    def visits(self, member_id: UUID, request: PageRequest) -> Page[Visit]:
        """A member's visits."""
        with self._reading() as connection:
            return DoorQueries(connection).visits_of(member_id, request)

    def scan_of(self, asked_by: UUID, scan_id: str) -> KeptScan | None:
        """The scan that a device or user asked for under this id."""
        with self._reading() as connection:
            return DoorQueries(connection).scan_of(asked_by, scan_id)

    def scan_for_staff(self, staff_id: UUID, scan_id: str) -> KeptScan | Ambiguous | None:
        """Any scan: staff's own of this id, else the row of this id, else whichever client's it is."""
        with self._reading() as connection:
            queries = DoorQueries(connection)
            row_id = _uuid(scan_id)
            return (
                queries.scan_of(staff_id, scan_id)
                or (queries.scan_by_row(row_id) if row_id else None)
                or queries.scan_by_any(scan_id)
            )

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _away_is_plain(), self._store.reading() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _away_is_plain(), self._store.writing() as connection:
            yield connection


_UNKNOWN_GYM = GymRefusal(GymProblem.UNKNOWN_GYM, "There is no such gym.")


@contextmanager
def _away_is_plain() -> Iterator[None]:
    try:
        yield
    except NoConnectionFreeError as error:
        raise StoreAwayError("no connection became free") from error
    except DBAPIError as error:
        if is_away(error):
            raise StoreAwayError("the database cannot be had") from error
        raise


def _uuid(text_: str) -> UUID | None:
    try:
        return UUID(text_)
    except ValueError:
        return None
