"""What can be done about machines; their use goes by the door."""

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

IN_USE = GymRefusal(GymProblem.MACHINE_IN_USE, "Somebody is on this machine. It can be deleted once it is free.")


def create_machine(
    connection: Connection, gym_id: UUID, text: MachineText, image: str, now: datetime
) -> Machine | GymRefusal:
    """Put another machine into a gym in operation; `image` is the name of a picture that is published already."""
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
    """Change what is written of a machine; `expected_version` None takes it whatever was changed meanwhile."""
    machines = MachineRepository(connection)
    machine = _expected(machines, machine_id, expected_version)
    if isinstance(machine, GymRefusal):
        return machine
    return _changed(machines, machine, {name: value for name, value in asdict(change).items() if value is not None})


def set_image(
    connection: Connection, machine_id: UUID, image: str, expected_version: int | None
) -> Machine | GymRefusal:
    """Give a machine another picture, which is published already; `expected_version` as for `edit_machine`."""
    machines = MachineRepository(connection)
    machine = _expected(machines, machine_id, expected_version)
    return machine if isinstance(machine, GymRefusal) else _changed(machines, machine, {"image": image})


def set_out_of_order(
    connection: Connection, machine_id: UUID, reason: str | None, now: datetime
) -> Machine | GymRefusal:
    """Say that a machine cannot be used, and why, or with None that it can again. The time of the first word stays."""
    machines = MachineRepository(connection)
    machine = machines.locked(machine_id)
    if machine is None:
        return UNKNOWN_MACHINE
    since = None if reason is None else machine.out_of_order_since or now
    return _changed(machines, machine, {"out_of_order_since": since, "out_of_order_reason": reason})


def set_retired(connection: Connection, machine_id: UUID, *, retired: bool, now: datetime) -> Machine | GymRefusal:
    """Take a machine out of service or bring it back; once more changes nothing."""
    machines = MachineRepository(connection)
    machine = machines.locked(machine_id)
    if machine is None:
        return UNKNOWN_MACHINE
    return _changed(machines, machine, {"retired_at": (machine.retired_at or now) if retired else None})


def delete_machine(connection: Connection, machine_id: UUID, expected_version: int | None) -> GymRefusal | None:
    """Forget a machine that nobody is on. What members did on it stays theirs. `expected_version` as above."""
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
    """The machine after a change; one that changes nothing is none, and leaves the version."""
    if any(getattr(machine, name) != value for name, value in values.items()):
        machines.change(machine.id, **values)
    return machines.machine(machine.id) or UNKNOWN_MACHINE
