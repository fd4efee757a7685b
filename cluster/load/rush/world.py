"""The gyms, gates, devices and members of a rush."""

from dataclasses import dataclass, field
from uuid import UUID

from cluster.load.world import Kind


@dataclass(frozen=True, slots=True)
class RushGate:
    """A gate and the credentials of its devices."""

    id: UUID
    name: str
    gym: int
    gym_id: UUID
    devices: tuple[tuple[UUID, str], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RushGym:
    """A gym and its gates."""

    id: UUID
    name: str
    capacity: int
    gates: tuple[RushGate, ...]


@dataclass(frozen=True, slots=True)
class RushMember:
    """A member, by what a gate shows of them.

    Args:
        last_used: the latest issue time, in seconds since 1970, of a code that admitted them; 0: none.
    """

    id: UUID
    name: str
    kind: Kind
    last_used: int = 0


@dataclass(frozen=True, slots=True)
class RushWorld:
    """What a rush works with.

    Args:
        left_inside: who is inside at its beginning, with the gym: an earlier rush left them.
    """

    gyms: tuple[RushGym, ...]
    members: tuple[RushMember, ...]
    left_inside: tuple[tuple[RushMember, UUID], ...] = ()

    @property
    def gym_ids(self) -> list[UUID]:
        """The gyms."""
        return [gym.id for gym in self.gyms]
