"""Use cases of machines. The door decides about their use."""

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from domain.gyms.model import UNKNOWN_GYM, GymProblem, GymRefusal
from domain.gyms.repository import GymRepository
from domain.gyms.rules import refuse_change
from domain.ids import new_id
from domain.machines.model import UNKNOWN_MACHINE, Machine, MachineChange, MachineText
from domain.machines.repository import MachineRepository

IN_USE = GymRefusal(GymProblem.MACHINE_IN_USE, "The machine is in use. Delete it when it is free.")


def create_machine(
    connection: Connection, gym_id: UUID, text: MachineText, image: str, now: datetime
) -> Machine | GymRefusal:
    """Create a machine in a gym in operation. `image` is the name of a published picture."""
    machines = MachineRepository(connection)
    number = machines.next_number()
    if GymRepository(connection).locked(gym_id) is None:
        return UNKNOWN_GYM
    machine = Machine(
        id=new_id(),
        legacy_number=number,
        gym_id=gym_id,
        name=text.name,
        type=text.type,
        description=text.description,
        image=image,
        out_of_order_since=None,
        out_of_order_reason=None,
        retired_at=None,
        version=1,
        created_at=now,
    )
    machines.add(machine)
    return machine


def edit_machine(
    connection: Connection, machine_id: UUID, change: MachineChange, expected_version: int | None
) -> Machine | GymRefusal:
    """Change the texts of a machine. `expected_version` None accepts any version."""
    machines = MachineRepository(connection)
    machine = _expected(machines, machine_id, expected_version)
    if isinstance(machine, GymRefusal):
        return machine
    return _changed(machines, machine, {name: value for name, value in asdict(change).items() if value is not None})


def set_image(
    connection: Connection, machine_id: UUID, image: str, expected_version: int | None
) -> Machine | GymRefusal:
    """Replace the picture of a machine by a published one. `expected_version` as in `edit_machine`."""
    machines = MachineRepository(connection)
    machine = _expected(machines, machine_id, expected_version)
    return machine if isinstance(machine, GymRefusal) else _changed(machines, machine, {"image": image})


def set_out_of_order(
    connection: Connection, machine_id: UUID, reason: str | None, now: datetime
) -> Machine | GymRefusal:
    """Mark a machine as out of order with a reason; None ends that. A new reason keeps the time of the first one."""
    machines = MachineRepository(connection)
    machine = machines.locked(machine_id)
    if machine is None:
        return UNKNOWN_MACHINE
    since = None if reason is None else machine.out_of_order_since or now
    return _changed(machines, machine, {"out_of_order_since": since, "out_of_order_reason": reason})


def set_retired(connection: Connection, machine_id: UUID, *, retired: bool, now: datetime) -> Machine | GymRefusal:
    """Retire a machine or bring it back into service. Idempotent."""
    machines = MachineRepository(connection)
    machine = machines.locked(machine_id)
    if machine is None:
        return UNKNOWN_MACHINE
    return _changed(machines, machine, {"retired_at": (machine.retired_at or now) if retired else None})


def delete_machine(connection: Connection, machine_id: UUID, expected_version: int | None) -> GymRefusal | None:
    """Delete a machine that nobody uses. Records of its use stay. `expected_version` as in `edit_machine`."""
    machines = MachineRepository(connection)
    machine = _expected(machines, machine_id, expected_version)
    if isinstance(machine, GymRefusal):
        return machine
    if machine.in_use:
        return IN_USE
    machines.remove(machine_id)
    return None


def _expected(machines: MachineRepository, machine_id: UUID, expected_version: int | None) -> Machine | GymRefusal:
    machine = machines.locked(machine_id)
    if machine is None:
        return UNKNOWN_MACHINE
    return refuse_change("The machine", machine.version, expected_version) or machine


def _changed(machines: MachineRepository, machine: Machine, values: dict[str, object]) -> Machine | GymRefusal:
    """The machine after a change. A change without effect leaves the version."""
    if any(getattr(machine, name) != value for name, value in values.items()):
        machines.change(machine.id, **values)
    return machines.machine(machine.id) or UNKNOWN_MACHINE
