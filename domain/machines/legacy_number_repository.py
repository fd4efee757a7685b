"""Gyms and machines by legacy numbers, for the existing web client."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, select

from domain.door.tables import open_machine_uses, open_visits
from domain.gyms.model import Gym
from domain.gyms.repository import GymRepository
from domain.machines.model import Machine, MachineFilter
from domain.machines.repository import MachineRepository
from domain.machines.tables import machines
from domain.paging import PageRequest

_MOST = 10_000


@dataclass(frozen=True, slots=True)
class NumberedGym:
    """A gym in operation and the members inside. `occupancy` also counts visits without a member."""

    gym: Gym
    occupancy: int
    members: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class NumberedMachine:
    """A machine in service, the number of its gym, and who uses it."""

    machine: Machine
    gym_number: int
    used_by: UUID | None


class LegacyNumberRepository:
    """Reads gyms and machines in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def gym(self, number: int) -> NumberedGym | None:
        """The gym in operation with this number."""
        found = GymRepository(self._connection).of_number(number)
        if found is None:
            return None
        rows = self._connection.execute(
            select(open_visits.c.member_id)
            .where(open_visits.c.gym_id == found.id)
            .order_by(open_visits.c.entered_at, open_visits.c.visit_id)
        ).all()
        return NumberedGym(found, len(rows), tuple(row.member_id for row in rows if row.member_id is not None))

    def machines(self, gym_number: int) -> list[NumberedMachine]:
        """The machines in service of the gym with this number, in the order of their creation."""
        gym = GymRepository(self._connection).of_number(gym_number)
        if gym is None:
            return []
        found = MachineRepository(self._connection).machines(gym.id, MachineFilter(), PageRequest(_MOST)).items
        rows = self._connection.execute(
            select(open_machine_uses.c.machine_id, open_machine_uses.c.member_id).where(
                open_machine_uses.c.gym_id == gym.id
            )
        )
        users = {row.machine_id: row.member_id for row in rows}
        return [NumberedMachine(machine, gym_number, users.get(machine.id)) for machine in found]

    def machine(self, gym_number: int, number: int) -> NumberedMachine | None:
        """One machine in service of that gym."""
        gym = GymRepository(self._connection).of_number(gym_number)
        if gym is None:
            return None
        row = self._connection.execute(
            select(machines.c.id, open_machine_uses.c.member_id)
            .outerjoin(open_machine_uses, open_machine_uses.c.machine_id == machines.c.id)
            .where(machines.c.legacy_number == number, machines.c.gym_id == gym.id, machines.c.retired_at.is_(None))
        ).one_or_none()
        machine = MachineRepository(self._connection).machine(row.id) if row else None
        return NumberedMachine(machine, gym_number, row.member_id) if row and machine else None
