"""The gyms, gates, devices and members that a measurement works with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, select

from domain.door.tables import open_visits, visits


class Kind(StrEnum):
    """What a member's door says to them."""

    ADMITTED = "admitted"
    NO_MEMBERSHIP = "no_membership"
    ENDED = "ended"
    BANNED = "banned"


# Of a hundred members; the others are admitted.
_SHARES = {Kind.NO_MEMBERSHIP: 3, Kind.ENDED: 3, Kind.BANNED: 3}


@dataclass(frozen=True, slots=True)
class BenchDevice:
    """A scanner, by what it shows."""

    id: UUID
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BenchGate:
    """A gate and its scanners."""

    id: UUID
    gym_id: UUID
    devices: tuple[BenchDevice, ...]


@dataclass(frozen=True, slots=True)
class BenchMember:
    """A member, by what a gate shows of them."""

    id: UUID
    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class BenchWorld:
    """What was loaded. `capacity` is every gym's; all members fit into one."""

    company_id: UUID
    plan_id: UUID
    gates: tuple[BenchGate, ...]
    members: tuple[BenchMember, ...]
    capacity: int

    @property
    def gym_ids(self) -> Sequence[UUID]:
        """The gyms, each once."""
        return list(dict.fromkeys(gate.gym_id for gate in self.gates))

    @property
    def devices(self) -> int:
        """How many scanners there are."""
        return sum(len(gate.devices) for gate in self.gates)

    def of_kind(self, kind: Kind) -> list[BenchMember]:
        """The members of one kind."""
        return [member for member in self.members if member.kind is kind]


def kind_at(place: int) -> Kind:
    """What the door says to the member at a place in their row: the same in every hundred."""
    place %= 100
    for kind, share in _SHARES.items():
        if place < share:
            return kind
        place -= share
    return Kind.ADMITTED


def gates_entered_by(connection: Connection, world: BenchWorld) -> dict[UUID, UUID]:
    """Who is inside, with the gate by which they came."""
    rows = connection.execute(
        select(open_visits.c.member_id, visits.c.gate_id)
        .join(visits, visits.c.id == open_visits.c.visit_id)
        .where(open_visits.c.gym_id.in_(world.gym_ids))
    )
    return {row.member_id: row.gate_id for row in rows}
