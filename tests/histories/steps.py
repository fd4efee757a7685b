"""Random histories of a door: what is asked of it, step by step, as plain figures that name who and where by number."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from domain.door.model import Direction

MEMBERS, GYMS, GATES = 3, 2, 2


class Kind(StrEnum):
    """What is asked."""

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
_NARROW = 0.5
_SHORT_WAITS = (1, 1, 2, 3, 5, 8, 14)
_WAITS = (1, 1, 2, 3, 5, 8, 14, 16, 20, 40, 70, 300, 950, 4000, 23000)
_CODES_AGO = (0, 0, 0, 0, 15, 15, 30, 45, 200)
_MADE_JUST_NOW = (1, 2, 3, 5, 7, 12, 25)
_MADE_AGO = (1, 3, 7, 12, 25, 60, 200, 1000, 5000)


def history(seed: int, longest: int = 14) -> list[Step]:
    """The steps of one history; the same for the same seed.

    Half of them are narrow: one member mostly at one gate within a minute or two, where most depends on most.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    narrow = chance.random() < _NARROW
    members = 1 if narrow else chance.choice((1, 2, 3))
    return [_step(chance, members, narrow=narrow) for _ in range(chance.randint(4, longest))]


def _step(chance: random.Random, members: int, *, narrow: bool) -> Step:
    kind = chance.choices(list(_KINDS), list(_KINDS.values()))[0]
    number = 2 if kind is Kind.SCANS else 0
    more = tuple(_details(chance, Kind.SCAN, members, narrow=narrow) for _ in range(number))
    return replace(_details(chance, kind, members, narrow=narrow), more=more)


def _details(chance: random.Random, kind: Kind, members: int, *, narrow: bool) -> Step:
    made_ago: Sequence[int] = _MADE_JUST_NOW if narrow else _MADE_AGO
    places: Sequence[int] = (*[0] * (9 if narrow else 3), 1)
    return Step(
        kind,
        wait_s=chance.choice(_SHORT_WAITS if narrow else _WAITS),
        member=chance.randrange(members),
        gym=chance.choice(places),
        gate=chance.choice(places),
        direction=chance.choice(list(Direction)),
        ago_s=chance.choice(made_ago if kind is Kind.UPLOAD else _CODES_AGO),
        older_s=chance.choice((0, 0, 15, 30)),
        index=min(chance.randrange(8), chance.randrange(8)),
        figure=chance.choice((0, 0, 0, 1, 3)),
        odd=chance.random() < (0.5 if kind is Kind.ANNUL else 0.1),
    )


def shorter(steps: Sequence[Step]) -> list[list[Step]]:
    """The histories that lack one of these steps."""
    return [[*steps[:number], *steps[number + 1 :]] for number in range(len(steps))]
