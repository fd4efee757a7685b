"""What the Gym deployment answers: gyms, gates, devices, sessions, and the lists of scans and visits.

A plain class; every answer is plain data, and so is every refusal.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from deployments.gym.gates import GatesDesk
from deployments.gym.gyms import GymsDesk
from deployments.gym.live_desk import LiveDesk
from deployments.gym.machine_desk import MachineDesk
from deployments.gym.numbered_desk import NumberedDesk
from deployments.gym.records_desk import RecordsDesk
from domain import idempotency
from domain.clock import Clock, system_clock
from domain.door.queries import Ambiguous, DoorQueries, Inside, KeptScan, Occupancy, ScanFilter, Visit
from domain.gyms.model import GymRefusal
from domain.gyms.repository import GymRepository
from domain.gyms.service import UNKNOWN_GYM
from domain.idempotency import KeyClaim
from domain.identity.code_answer_repository import code_answer, keep_code_answer
from domain.identity.model import SessionState
from domain.identity.session_repository import SessionRepository
from domain.images.model import ImageStore
from domain.paging import Page, PageRequest
from domain.unit_of_work import Store
from integrations.settings import ImageSettings


class GymDesk(MachineDesk, GymsDesk, GatesDesk, RecordsDesk, LiveDesk, NumberedDesk):
    """Answers about gyms, machines and pictures, and what every replica of the gateway confirms.

    Args:
        store, clock: as in `StoreDesk`.
        keys_kept_for: how long a repeated call gets the first answer.
        images, image_settings: as in `PictureDesk`.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock = system_clock,
        *,
        keys_kept_for: timedelta = timedelta(hours=24),
        images: ImageStore | None = None,
        image_settings: ImageSettings | None = None,
    ) -> None:
        super().__init__(store, clock, images=images, image_settings=image_settings)
        self.keys_kept_for = keys_kept_for

    def session_states(self, session_ids: Collection[UUID]) -> dict[UUID, SessionState]:
        """Those sessions whose tokens are still good."""
        with self._reading() as connection:
            return SessionRepository(connection).states(session_ids)

    def sessions_used(self, session_ids: Collection[UUID]) -> None:
        """Remember that sessions were used just now."""
        self._written(lambda connection: SessionRepository(connection).used(session_ids, self._clock()))

    def claim_key(self, key: str, request_hash: str) -> KeyClaim:
        """Claim the key of an authorization code, which its provider exchanges once."""
        return self._written(
            lambda connection: idempotency.claim_key(connection, key, request_hash, self._clock(), self.keys_kept_for)
        )

    def keep_answer(self, key: str, answer: str) -> None:
        """Note that a code was exchanged."""
        self._written(lambda connection: idempotency.keep_answer(connection, key, answer))

    def free_key(self, key: str) -> None:
        """Give the key of a code back: it was not exchanged."""
        self._written(lambda connection: idempotency.free_key(connection, key))

    def keep_code_answer(self, code_hash: str, answer: str, expires_at: datetime) -> None:
        """Keep what was answered to an authorization code."""
        self._written(lambda connection: keep_code_answer(connection, code_hash, answer, expires_at, self._clock()))

    def code_answer(self, code_hash: str) -> str | None:
        """What was answered to a code before."""
        with self._reading() as connection:
            return code_answer(connection, code_hash, self._clock())

    def occupancy(self, gym_id: UUID, *, retired: bool = False) -> Occupancy | None:
        """Who is inside a gym in operation, counted; with `retired` also of one that is not."""
        with self._reading() as connection:
            return DoorQueries(connection).occupancy(gym_id, retired=retired)

    def inside(self, gym_id: UUID, request: PageRequest) -> Page[Inside] | GymRefusal:
        """Who is inside a gym, by name."""
        with self._reading() as connection:
            if GymRepository(connection).gym(gym_id, retired=True) is None:
                return UNKNOWN_GYM
            return DoorQueries(connection).inside(gym_id, request)

    def scans(self, gym_id: UUID, wanted: ScanFilter, request: PageRequest) -> Page[KeptScan] | GymRefusal:
        """The scans at a gym."""
        with self._reading() as connection:
            if GymRepository(connection).gym(gym_id, retired=True) is None:
                return UNKNOWN_GYM
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


def _uuid(text_: str) -> UUID | None:
    try:
        return UUID(text_)
    except ValueError:
        return None
