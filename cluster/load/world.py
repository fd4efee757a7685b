"""The gyms, gates, devices and members that the generated scans refer to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from uuid import UUID


class MemberKind(StrEnum):
    """What a door answers when a member shows a valid pass."""

    ADMITTED = "admitted"
    NO_MEMBERSHIP = "no_membership"
    ENDED = "ended"
    BANNED = "banned"


Shares = Mapping[MemberKind, int]
"""Members of each kind in a thousand; the others are admitted."""

BENCHMARK_SHARES: Shares = {MemberKind.NO_MEMBERSHIP: 30, MemberKind.ENDED: 30, MemberKind.BANNED: 30}


def kind_at(place: int, shares: Shares) -> MemberKind:
    """The kind of the member at a place, counted from 0; the kinds are spread evenly over every thousand."""
    rest = place * 617 % 1000  # no factor in common with 1000: each remainder comes once
    for kind, share in shares.items():
        if rest < share:
            return kind
        rest -= share
    return MemberKind.ADMITTED


@dataclass(frozen=True, slots=True)
class Device:
    """A scanner and what it authenticates with."""

    id: UUID
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate and its devices. `capacity` is its gym's."""

    id: UUID
    name: str
    gym_id: UUID
    capacity: int
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class Gym:
    """A gym and its gates."""

    id: UUID
    name: str
    capacity: int
    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A member.

    Args:
        name: as a gate shows it.
        last_used: the latest issue time of a pass that admitted them, in seconds since 1970; 0: none.
    """

    id: UUID
    name: str
    kind: MemberKind
    last_used: int = 0


@dataclass(frozen=True)
class World:
    """Everything that was seeded.

    Args:
        company: the name of the company that owns the gyms.
        left_inside: who was inside already, with the gym: an earlier run left them there.
    """

    company: str
    plan_id: UUID
    gyms: tuple[Gym, ...]
    members: tuple[Member, ...]
    left_inside: tuple[tuple[Member, UUID], ...] = ()

    @cached_property
    def gym_ids(self) -> Sequence[UUID]:
        """The gyms' ids, in the order of the gyms."""
        return [gym.id for gym in self.gyms]

    @cached_property
    def gates(self) -> Sequence[Gate]:
        """All gates, gym by gym."""
        return [gate for gym in self.gyms for gate in gym.gates]

    def of_kind(self, kind: MemberKind) -> list[Member]:
        """The members of one kind."""
        return [member for member in self.members if member.kind is kind]
