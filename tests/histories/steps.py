"""Random histories of a door: steps as plain numbers that name members, gyms and gates."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import NamedTuple

from domain.door.model import Direction

MEMBERS, GYMS, GATES = 3, 2, 2


class Kind(StrEnum):
    """The kind of a step."""

    SCAN = "scan"
    SCANS = "scans"  # several in one batch
    AGAIN = "again"  # the same scan id
    UPLOAD = "upload"
    UPLOAD_OF = "upload_of"  # of a scan id that was asked before
    ANNUL = "annul"
    ANNUL_UNSEEN = "annul_unseen"
    COUNT = "count"
    TIDY = "tidy"
    MACHINE = "machine"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Args:
        wait_s: what passes before it.
        ago_s: how old the code is that is shown, or how long ago the device did it.
        older_s: by how much older still the code of an upload is.
        index: of a scan that was asked before, counted from the newest.
        figure: heads that are counted.
        odd: something unusual: late, forged, by staff, in the other direction, by another member.
    """

    kind: Kind
    wait_s: float
    member: int = 0
    gym: int = 0
    gate: int = 0
    direction: Direction = Direction.ENTER
    ago_s: int = 0
    older_s: int = 0
    index: int = 0
    figure: int = 0
    odd: bool = False
    more: tuple["Step", ...] = ()

    def __str__(self) -> str:
        told = [f"{one.name}={getattr(self, one.name)}" for one in fields(self) if one.name not in {"kind", "more"}]
        return f"{self.kind}({', '.join(told)})" + "".join(f"\n    with {one}" for one in self.more)


_KINDS = {
    Kind.SCAN: 34,
    Kind.SCANS: 5,
    Kind.AGAIN: 3,
    Kind.UPLOAD: 17,
    Kind.UPLOAD_OF: 7,
    Kind.ANNUL: 18,
    Kind.ANNUL_UNSEEN: 2,
    Kind.COUNT: 5,
    Kind.TIDY: 2,
    Kind.MACHINE: 5,
    Kind.DELETE: 2,
}
_CODES_AGO = (0, 0, 0, 0, 15, 15, 30, 45, 200)


class Pace(NamedTuple):
    """Probabilities of steps.

    Args:
        waits: what passes before a step, in s.
        made_ago: how long ago a device did what it uploads, in s.
        places: the numbers of gyms and gates, the usual one several times.
        kinds: how often each is asked.
        longest: how many steps a history has at most.
    """

    waits: Sequence[int]
    made_ago: Sequence[int]
    places: Sequence[int]
    kinds: Mapping[Kind, int] = _KINDS
    longest: int = 14


_NARROW = 0.5
_CLOSE = Pace((1, 1, 2, 3, 5, 8, 14), (1, 2, 3, 5, 7, 12, 25), (*[0] * 9, 1))
_WIDE = Pace(
    (1, 1, 2, 3, 5, 8, 14, 16, 20, 40, 70, 300, 950, 4000, 23000),
    (1, 3, 7, 12, 25, 60, 200, 1000, 5000),
    (0, 0, 0, 1),
)
# Around the ten minutes that a correction reads back, and twice as long.
_AT_EDGES = Pace(
    (1, 1, 5, 14, 40, 100, 200, 300, 550, 590, 599, 601, 620, 1150, 1190, 1250),
    (1, 5, 60, 200, 590, 610, 900, 1190, 1210, 2000, 5000),
    (0, 0, 0, 1),
    {
        Kind.SCAN: 25,
        Kind.SCANS: 5,
        Kind.AGAIN: 2,
        Kind.UPLOAD: 25,
        Kind.UPLOAD_OF: 6,
        Kind.ANNUL: 22,
        Kind.COUNT: 12,
        Kind.TIDY: 1,
        Kind.MACHINE: 4,
        Kind.DELETE: 2,
    },
    longest=24,
)
AT_EDGES = 100_000  # histories of this number and of higher ones


def history(seed: int) -> list[Step]:
    """The steps of one history; the same for the same seed.

    Half of them are narrow: one member mostly at one gate within a minute or two, where most depends on most. Those
    from `AT_EDGES` on are as far apart as what a correction reads.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    narrow = chance.random() < _NARROW
    members = 1 if narrow else chance.choice((1, 2, 3))
    pace = _AT_EDGES if seed >= AT_EDGES else _CLOSE if narrow else _WIDE
    return [_step(chance, members, pace) for _ in range(chance.randint(4, pace.longest))]


def _step(chance: random.Random, members: int, pace: Pace) -> Step:
    kind = chance.choices(list(pace.kinds), list(pace.kinds.values()))[0]
    number = 2 if kind is Kind.SCANS else 0
    more = tuple(_details(chance, Kind.SCAN, members, pace) for _ in range(number))
    return replace(_details(chance, kind, members, pace), more=more)


def _details(chance: random.Random, kind: Kind, members: int, pace: Pace) -> Step:
    return Step(
        kind,
        wait_s=chance.choice(pace.waits),
        member=chance.randrange(members),
        gym=chance.choice(pace.places),
        gate=chance.choice(pace.places),
        direction=chance.choice(list(Direction)),
        ago_s=chance.choice(pace.made_ago if kind is Kind.UPLOAD else _CODES_AGO),
        older_s=chance.choice((0, 0, 15, 30)),
        index=min(chance.randrange(8), chance.randrange(8)),
        figure=chance.choice((0, 0, 0, 1, 3)),
        odd=chance.random() < (0.5 if kind is Kind.ANNUL else 0.1),
    )


def shorter(steps: Sequence[Step]) -> list[list[Step]]:
    """The same history without one of its steps, for each step."""
    return [[*steps[:number], *steps[number + 1 :]] for number in range(len(steps))]
