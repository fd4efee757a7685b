"""Machines in the database."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, insert, select, update

from domain.companies.tables import companies
from domain.door.tables import open_machine_uses
from domain.gyms.tables import gyms
from domain.machines.model import Machine, MachineFilter
from domain.machines.tables import machines
from domain.paging import Page, PageRequest, page
from domain.text import search_key

_MACHINE = (
    machines.c.id,
    machines.c.legacy_number,
    machines.c.gym_id,
    machines.c.name,
    machines.c.type,
    machines.c.description,
    machines.c.image,
    machines.c.out_of_order_since,
    machines.c.out_of_order_reason,
    machines.c.retired_at,
    machines.c.version,
    machines.c.created_at,
    open_machine_uses.c.use_id.is_not(None).label("in_use"),
)


class MachineRepository:
    """Reads and writes machines in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def machine(self, machine_id: UUID) -> Machine | None:
        """One machine, retired or not."""
        return _machine(self._connection.execute(_shown().where(machines.c.id == machine_id)).one_or_none())

    def locked(self, machine_id: UUID) -> Machine | None:
        """One machine, locked until the unit of work ends. Its gym is locked too, so nobody begins to use it."""
        found = self.machine(machine_id)
        if found is None:
            return None
        # The gym first, in the same order as the door locks them.
        self._connection.execute(select(gyms.c.id).where(gyms.c.id == found.gym_id).with_for_update())
        self._connection.execute(select(machines.c.id).where(machines.c.id == machine_id).with_for_update())
        return self.machine(machine_id)

    def machines(self, gym_id: UUID, filters: MachineFilter, request: PageRequest) -> Page[Machine]:
        """The machines of a gym, in the order of their creation."""
        query = _shown().where(machines.c.gym_id == gym_id, *_conditions(filters)).order_by(machines.c.id)
        if request.after:
            query = query.where(machines.c.id > request.after)
        rows = [Machine(*row) for row in self._connection.execute(query.limit(request.fetch))]
        return page(rows, request, lambda machine: machine.id)

    def next_number(self) -> int:
        """The next free legacy number, reserved until the unit of work ends."""
        # Locks a few rows that the door never locks.
        self._connection.execute(select(companies.c.id).order_by(companies.c.id).with_for_update()).all()
        highest: int | None = self._connection.execute(select(func.max(machines.c.legacy_number))).scalar_one()
        return (highest or 0) + 1

    def add(self, machine: Machine) -> None:
        """Insert a machine."""
        values = {
            column.name: getattr(machine, column.name) for column in machines.columns if column.name != "search_type"
        }
        self._connection.execute(insert(machines).values(**values))

    def change(self, machine_id: UUID, **values: object) -> None:
        """Update some columns and raise the version."""
        if "type" in values:
            values["search_type"] = search_key(str(values["type"]))
        self._connection.execute(
            update(machines).where(machines.c.id == machine_id).values(version=machines.c.version + 1, **values)
        )

    def remove(self, machine_id: UUID) -> None:
        """Delete a machine. `machine_uses` keeps its records."""
        self._connection.execute(delete(machines).where(machines.c.id == machine_id))


def _shown() -> Select[Any]:
    return select(*_MACHINE).outerjoin(open_machine_uses, open_machine_uses.c.machine_id == machines.c.id)


def _machine(row: Sequence[Any] | None) -> Machine | None:
    return Machine(*row) if row else None


def _conditions(filters: MachineFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if not filters.retired:
        conditions.append(machines.c.retired_at.is_(None))
    if filters.type is not None:
        conditions.append(machines.c.search_type == search_key(filters.type))
    if filters.free is not None:
        free = and_(
            open_machine_uses.c.use_id.is_(None),
            machines.c.out_of_order_since.is_(None),
            machines.c.retired_at.is_(None),
        )
        conditions.append(free if filters.free else ~free)
    return conditions
