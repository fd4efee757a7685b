"""Who comes, where, when, and what is odd about them: the plan of a rush, the same for the same seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush
from itertools import accumulate
from math import ceil
from random import Random

from cluster.load.rush.curve import LONGEST_STAY, draw_arrival, draw_stay, first_minute
from cluster.load.world import Kind

GATES_A_GYM = 2
# Of a thousand members: those whom every door refuses, the others are admitted.
_NO_MEMBERSHIP, _ENDED, _BANNED = 30, 30, 10
# Of the visits; what is not drawn goes as it should.
FORGETS = 0.06
LOST_ANSWER = 0.03  # of the scans
COMES_AGAIN = 0.5  # of those who found the gym full
AGAIN_AFTER_MINUTES = 10.0
# The gym at place n draws 1 / (1 + _SLOPE * n) of what the first one does.
_SLOPE = 0.15
# Places for each one who is inside at most, by the plan; the first gym is too small for its evening.
_ROOM, _ROOM_OF_THE_FIRST = 1.25, 0.9


class Oddity(StrEnum):
    """What is odd about a visit."""

    NONE = "none"
    HELD_UP = "held_up"  # the phone is shown a second time at once, at the same gate
    COPIED = "copied"  # somebody else shows the same code at another gate
    PASSED_BACK = "passed_back"  # the next code of the same phone, for a friend at the other gate
    SCREENSHOT = "screenshot"  # an old picture of a code is shown first
    FORGED = "forged"  # a code that nobody signed is shown first


ODDITIES: Mapping[Oddity, float] = {
    Oddity.HELD_UP: 0.04,
    Oddity.COPIED: 0.04,
    Oddity.PASSED_BACK: 0.02,
    Oddity.SCREENSHOT: 0.02,
    Oddity.FORGED: 0.01,
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """One person's evening. Gyms, gates and members by their place in their row; minutes after the beginning.

    Args:
        arrives: negative: inside already when the clock begins.
        stays: minutes.
        other_gym, other_gate: where a copy of the code is shown.
        forgets: goes without scanning out.
        loses_entry, loses_exit: the device does not hear the answer and asks again.
        comes_again: tries once more where the gym was full.
    """

    member: int
    kind: Kind
    gym: int
    gate: int
    exit_gate: int
    arrives: float
    stays: float
    oddity: Oddity
    other_gym: int
    other_gate: int
    forgets: bool
    loses_entry: bool
    loses_exit: bool
    comes_again: bool

    @property
    def leaves(self) -> float:
        """Minutes after the beginning."""
        return self.arrives + self.stays


def kind_at(place: int) -> Kind:
    """What the door says to the member at a place in their row; the kinds are spread evenly."""
    place = place * 617 % 1000  # no factor in common with 1000: each remainder comes once
    for kind, share in ((Kind.NO_MEMBERSHIP, _NO_MEMBERSHIP), (Kind.ENDED, _ENDED), (Kind.BANNED, _BANNED)):
        if place < share:
            return kind
        place -= share
    return Kind.ADMITTED


def plan_people(members: int, gyms: int, minutes: float, seed: int) -> list[Visitor]:
    """One visit of each member, in the order of their arrival.

    Those who came before the beginning and would still be inside are in it; those who would have left are not drawn.
    """
    random = Random(seed)  # noqa: S311 - draws a crowd, guards nothing
    popularity = [1 / (1 + _SLOPE * place) for place in range(gyms)]
    visitors = [_visitor(random, place, popularity, minutes) for place in range(members)]
    return sorted(visitors, key=lambda visitor: visitor.arrives)


def capacities(visitors: Sequence[Visitor], gyms: int, minutes: float) -> list[int]:
    """The places of each gym: enough, but for the first one, which is full for a while."""
    return [
        max(1, ceil(_most_inside(visitors, gym, minutes) * (_ROOM if gym else _ROOM_OF_THE_FIRST)))
        for gym in range(gyms)
    ]


def _visitor(random: Random, member: int, popularity: Sequence[float], minutes: float) -> Visitor:
    kind = kind_at(member)
    arrives, stays = _stay(random, kind, minutes)
    gym = random.choices(range(len(popularity)), popularity)[0]
    gate, exit_gate = random.randrange(GATES_A_GYM), random.randrange(GATES_A_GYM)
    other_gym = random.randrange(len(popularity))
    at_home = other_gym == gym
    return Visitor(
        member=member,
        kind=kind,
        gym=gym,
        gate=gate,
        exit_gate=exit_gate,
        arrives=arrives,
        stays=stays,
        # Those who are inside already came in without a fuss.
        oddity=_oddity(random) if kind is Kind.ADMITTED and arrives >= 0 else Oddity.NONE,
        other_gym=other_gym,
        # At the same gate it would be taken for the owner's phone, held up.
        other_gate=(gate + 1) % GATES_A_GYM if at_home else random.randrange(GATES_A_GYM),
        forgets=random.random() < FORGETS,
        loses_entry=random.random() < LOST_ANSWER,
        loses_exit=random.random() < LOST_ANSWER,
        comes_again=random.random() < COMES_AGAIN,
    )


def _stay(random: Random, kind: Kind, minutes: float) -> tuple[float, float]:
    begin = first_minute(minutes)
    # Whom the door refuses is not inside already.
    earliest = begin - LONGEST_STAY if kind is Kind.ADMITTED else begin
    while True:
        arrives = draw_arrival(random, earliest, begin + minutes) - begin
        stays = draw_stay(random)
        if arrives >= 0 or arrives + stays > 0:
            return arrives, stays


def _oddity(random: Random) -> Oddity:
    drawn = random.random()
    for oddity, below in zip(ODDITIES, accumulate(ODDITIES.values()), strict=True):
        if drawn < below:
            return oddity
    return Oddity.NONE


def _most_inside(visitors: Sequence[Visitor], gym: int, minutes: float) -> int:
    """How many are inside at most until the end, if nobody is refused who may come."""
    most, until = 0, list[float]()
    for visitor in visitors:
        if visitor.gym != gym or visitor.kind is not Kind.ADMITTED:
            continue
        while until and until[0] < visitor.arrives:
            heappop(until)
        heappush(until, minutes if visitor.forgets else visitor.leaves)
        most = max(most, len(until))
    return most
