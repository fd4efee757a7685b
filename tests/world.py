"""A small world in a store: gyms, members, passes and the questions that are put to the door."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, update

from domain.companies.tables import companies
from domain.door.machine_model import MachineAction, MachineRequest
from domain.door.model import (
    AnnulRequest,
    Direction,
    DoorLimits,
    DoorRequest,
    DoorResult,
    HeadCountRequest,
    OfflineScan,
    PassReading,
    PassStatus,
    ScanAnswer,
    ScanRequest,
)
from domain.door.service import decide_batch
from domain.door.tables import open_visits
from domain.gyms.tables import gyms
from domain.identity.tables import users
from domain.ids import new_id
from domain.machines.tables import machines
from domain.memberships.tables import memberships, plans
from domain.unit_of_work import Store

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass
class ManualClock:
    """A clock that moves when it is told to."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class World:
    """One company with gyms and members, and a door to ask."""

    store: Store
    clock: ManualClock = field(default_factory=ManualClock)
    limits: DoorLimits = field(default_factory=DoorLimits)
    company: UUID = field(default_factory=new_id)
    plan: UUID = field(default_factory=new_id)
    device: UUID = field(default_factory=new_id)
    gates: dict[UUID, UUID] = field(default_factory=dict)  # the first gate of each gym
    first_number: int = 1  # of its gyms; beside a demo a higher one

    def __post_init__(self) -> None:
        with self.store.writing() as connection:
            connection.execute(insert(companies).values(id=self.company, name="Company", created_at=START))
            connection.execute(
                insert(plans).values(
                    id=self.plan,
                    company_id=self.company,
                    name="30 days",
                    days=30,
                    price_amount=1000,
                    price_currency="EUR",
                    grace_days=3,
                    covers_all_gyms=True,
                    created_at=START,
                )
            )

    def gym(self, capacity: int = 100, reentry_after_s: int | None = 900) -> UUID:
        gym_id = new_id()
        with self.store.writing() as connection:
            connection.execute(
                insert(gyms).values(
                    id=gym_id,
                    legacy_number=self.first_number + len(self.gates),
                    company_id=self.company,
                    name="Gym",
                    address="Street",
                    time_zone="Europe/Berlin",
                    capacity=capacity,
                    reentry_after_s=reentry_after_s,
                    grace_after_closing_s=0,
                    longest_visit_s=6 * 3600,
                    version=1,
                    created_at=START,
                )
            )
        self.gates[gym_id] = new_id()
        return gym_id

    def members(self, number: int, days: int = 30) -> list[UUID]:
        """Members whose membership began a day before the world did and lasts so many days from then."""
        ids = [new_id() for _ in range(number)]
        with self.store.writing() as connection:
            connection.execute(
                insert(users),
                [{"id": id_, "email": f"{id_}@example.org", "name": "Mia", "created_at": START} for id_ in ids],
            )
            connection.execute(
                insert(memberships),
                [
                    {
                        "id": new_id(),
                        "member_id": id_,
                        "plan_id": self.plan,
                        "starts_at": START - timedelta(days=1),
                        "ends_at": START + timedelta(days=days),
                        "created_at": START,
                    }
                    for id_ in ids
                ],
            )
        return ids

    def newcomer(self, email: str | None = None) -> UUID:
        """Somebody who has no membership."""
        user_id = new_id()
        with self.store.writing() as connection:
            connection.execute(
                insert(users).values(id=user_id, email=email or f"{user_id}@example.org", name="Mia", created_at=START)
            )
        return user_id

    def member(self, days: int = 30) -> UUID:
        return self.members(1, days)[0]

    def change_membership(self, member: UUID, **values: object) -> None:
        with self.store.writing() as connection:
            connection.execute(update(memberships).where(memberships.c.member_id == member).values(**values))

    def change_gym(self, gym: UUID, **values: object) -> None:
        with self.store.writing() as connection:
            connection.execute(update(gyms).where(gyms.c.id == gym).values(**values))

    def code(self, member: UUID, ago: float = 0) -> PassReading:
        """The code that the member's phone showed so many seconds ago, as it is read now."""
        issued_at = self.clock.now - timedelta(seconds=ago)
        issued_at = issued_at.replace(second=issued_at.second // 15 * 15, microsecond=0)
        age = (self.clock.now - issued_at).total_seconds()
        return PassReading(PassStatus.VALID if -10 <= age <= 45 else PassStatus.STALE, member, issued_at)

    def scan(
        self,
        gym: UUID,
        reading: PassReading,
        direction: Direction = Direction.AUTO,
        *,
        scan_id: str | None = None,
        gate: UUID | None = None,
        asked_by: UUID | None = None,
        deadline_s: float = 1.8,
    ) -> ScanRequest:
        return ScanRequest(
            scan_id=scan_id or str(uuid4()),
            asked_by=asked_by or self.device,
            gym_id=gym,
            gate_id=gate or self.gates[gym],
            direction=direction,
            reading=reading,
            arrived_at=self.clock.now,
            decide_by=self.clock.now + timedelta(seconds=deadline_s),
        )

    def annulment(self, gym: UUID, scan_id: str, *, by_staff: bool = False) -> AnnulRequest:
        return AnnulRequest(
            scan_id=scan_id,
            asked_by=self.device,
            gym_id=gym,
            by=self.device,
            by_staff=by_staff,
            reason="the turnstile did not turn",
            arrived_at=self.clock.now,
            decide_by=self.clock.now + timedelta(seconds=1.8),
        )

    def ask(self, *requests: DoorRequest) -> list[DoorResult]:
        with self.store.writing() as connection:
            results = decide_batch(connection, requests, self.clock, self.limits)
        assert None not in results, "somebody else holds a gym or a member"
        return [result for result in results if result is not None]

    def answer(self, request: ScanRequest) -> ScanAnswer:
        (result,) = self.ask(request)
        assert isinstance(result, ScanAnswer), result
        return result

    def machine(self, gym: UUID, **values: object) -> UUID:
        machine_id = new_id()
        with self.store.writing() as connection:
            number = connection.execute(select(func.count()).select_from(machines)).scalar_one() + 1
            connection.execute(
                insert(machines).values(
                    id=machine_id,
                    legacy_number=number,
                    gym_id=gym,
                    name=f"Rower {number}",
                    type="rower",
                    description="",
                    version=1,
                    created_at=START,
                    **values,
                )
            )
        return machine_id

    def wish(
        self,
        action: MachineAction,
        machine: UUID,
        member: UUID,
        gym: UUID,
        *,
        request_id: str | None = None,
        asked_by: UUID | None = None,
        deadline_s: float = 1.8,
    ) -> MachineRequest:
        return MachineRequest(
            request_id=request_id or str(uuid4()),
            asked_by=asked_by or member,
            gym_id=gym,
            machine_id=machine,
            member_id=member,
            action=action,
            arrived_at=self.clock.now,
            decide_by=self.clock.now + timedelta(seconds=deadline_s),
        )

    def offline(
        self,
        gym: UUID,
        reading: PassReading,
        direction: Direction,
        ago: float,
        *,
        scan_id: str | None = None,
    ) -> OfflineScan:
        """A scan that a device made so many seconds ago, uploaded now."""
        scanned_at = self.clock.now - timedelta(seconds=ago)
        return OfflineScan(replace(self.scan(gym, reading, direction, scan_id=scan_id), scanned_at=scanned_at))

    def count(
        self, gym: UUID, counted: int, *, count_id: str | None = None, by: UUID | None = None
    ) -> HeadCountRequest:
        return HeadCountRequest(
            count_id=count_id or str(uuid4()),
            gym_id=gym,
            by=by or self.device,
            counted=counted,
            reason="walked through",
            arrived_at=self.clock.now,
            decide_by=self.clock.now + timedelta(seconds=1.8),
        )

    def inside(self, gym: UUID) -> list[UUID | None]:
        with self.store.reading() as connection:
            rows = connection.execute(select(open_visits.c.member_id).where(open_visits.c.gym_id == gym))
            return [row.member_id for row in rows]
