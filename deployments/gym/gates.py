"""The service of gates."""

from collections.abc import Collection
from uuid import UUID

from deployments.idempotent_calls import IdempotentCall, write_once
from domain.clock import Clock
from domain.gyms import gate_service
from domain.gyms.gate_repository import GateRepository
from domain.gyms.model import UNKNOWN_GATE, UNKNOWN_GYM, Gate, GateDirections, GymRefusal
from domain.gyms.repository import GymRepository
from domain.paging import Page, PageRequest
from domain.unit_of_work import Store


class GateService:
    """Gates. `expected` is the version that the caller has read; None accepts any version."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def gates_by_id(self, gate_ids: Collection[UUID]) -> dict[UUID, Gate]:
        """Those of the gates that are in use."""
        with self._store.reading() as connection:
            return GateRepository(connection).gates_by_id(gate_ids)

    def gates(self, gym_id: UUID, request: PageRequest) -> Page[Gate] | GymRefusal:
        """The gates of a gym."""
        with self._store.reading() as connection:
            if GymRepository(connection).gym(gym_id, retired=True) is None:
                return UNKNOWN_GYM
            return GateRepository(connection).gates(gym_id, request)

    def gate(self, gate_id: UUID) -> Gate | GymRefusal:
        """One gate in use."""
        with self._store.reading() as connection:
            return GateRepository(connection).gate(gate_id) or UNKNOWN_GATE

    def gate_of_numbered_gym(self, number: int) -> Gate | None:
        """The oldest gate in both directions of the gym with this legacy number."""
        with self._store.reading() as connection:
            return GateRepository(connection).gate_of_numbered_gym(number)

    def create(
        self, gym_id: UUID, name: str, serves: GateDirections, *, call: IdempotentCall | None = None
    ) -> Gate | GymRefusal:
        """Create a gate."""
        return write_once(
            self._store,
            call,
            Gate,
            lambda connection: gate_service.create_gate(connection, gym_id, name, serves, self._clock()),
        )

    def change(
        self, gate_id: UUID, name: str | None, serves: GateDirections | None, expected: int | None
    ) -> Gate | GymRefusal:
        """Change the name or the directions of a gate; None keeps what is there."""
        return self._store.written(
            lambda connection: gate_service.change_gate(connection, gate_id, name, serves, expected)
        )

    def retire(self, gate_id: UUID, expected: int | None) -> GymRefusal | None:
        """Take a gate and its devices out of use."""
        return self._store.written(
            lambda connection: gate_service.retire_gate(connection, gate_id, expected, self._clock())
        )
