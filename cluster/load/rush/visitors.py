"""Who visits, where, when, and what is unusual about it: the plan of a rush, the same for the same seed.

The curve of arrivals is fitted to the card readings at the door of a gym for the staff of an office: 5,463 entries on
166 working days from February 2015 to February 2016, of them 1,725 between 15 and 21 o'clock, published with
https://github.com/mgerlach-klick/gym-heatmap (`resources/gyminout.csv`). It puts 7 of 100 of these into another quarter
of an hour than they were in. The readings do not show stays: who leaves need not show a card there.

Stays are log-normal. Their mean of 69 minutes is what PureGym, a chain of gyms, found for its visits from 2022 to 2024
(https://www.themanual.com/fitness/new-data-shows-the-busiest-time-to-visit-the-gym-and-how-long-people-stay-there/);
their spread and their bounds are assumed: nine of ten stay between 33 and 123 minutes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush
from itertools import accumulate
from math import ceil, exp, log
from random import Random

from cluster.load.seeding import GATES_PER_GYM
from cluster.load.world import MemberKind, Shares, kind_at

PEAK_MINUTE = 17 * 60 + 15  # of the day
AFTERNOON = 0.35  # arrivals while the offices are still at work, as a share of the peak
RISE_MINUTES, FALL_MINUTES = 8.0, 75.0  # standard deviations before and after the peak
PEAK_AT = 1 / 3  # of the simulated time: what comes before is there to compare with
MEAN_STAY_MINUTES = 69.0
STAY_SIGMA = 0.4  # of the logarithm
SHORTEST_STAY, LONGEST_STAY = 10.0, 240.0
_DAY = 24 * 60

SHARES: Shares = {MemberKind.NO_MEMBERSHIP: 30, MemberKind.ENDED: 30, MemberKind.BANNED: 10}
# Shares of the visits.
FORGETS = 0.06
LOST_ANSWER = 0.03  # of the scans
COMES_AGAIN = 0.5  # of those who found the gym full
AGAIN_AFTER_MINUTES = 10.0
# The gym at place n attracts 1 / (1 + _SLOPE * n) of the visitors of the first one.
_SLOPE = 0.15
# Capacity divided by the most that the plan has inside; the first gym is too small for its evening.
_ROOM, _ROOM_OF_THE_FIRST = 1.25, 0.9


@dataclass(frozen=True, slots=True)
class RushOptions:
    """What is simulated.

    Args:
        minutes: simulated.
        speed: simulated minutes per real one.
        leave_inside: whether whoever is inside at the end stays there.
    """

    members: int
    gyms: int
    minutes: float
    speed: float
    seed: int
    leave_inside: bool


class Oddity(StrEnum):
    """What is unusual about a visit."""

    NONE = "none"
    HELD_UP = "held_up"  # the phone is shown a second time at once, at the same gate
    COPIED = "copied"  # somebody else shows the same pass at another gate
    PASSED_BACK = "passed_back"  # the next pass of the same phone, for a friend at the other gate
    SCREENSHOT = "screenshot"  # an old picture of a pass is shown first
    FORGED = "forged"  # a pass with a wrong signature is shown first


ODDITIES: Mapping[Oddity, float] = {
    Oddity.HELD_UP: 0.04,
    Oddity.COPIED: 0.04,
    Oddity.PASSED_BACK: 0.02,
    Oddity.SCREENSHOT: 0.02,
    Oddity.FORGED: 0.01,
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """The visit of one member. Gyms, gates and members are places in their rows; times are minutes after the beginning.

    Args:
        arrives: negative: inside already when the clock begins.
        stays: minutes.
        other_gym, other_gate: where a copy of the pass is shown.
        forgets: leaves without scanning.
        loses_entry, loses_exit: the device does not receive the answer and sends the scan again.
        comes_again: tries once more where the gym was full.
    """

    member: int
    kind: MemberKind
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


def arrivals(minute_of_day: float) -> float:
    """How many arrive at that minute, as a share of the peak, 0 to 1."""
    after = minute_of_day - PEAK_MINUTE
    if after >= 0:
        return exp(-((after / FALL_MINUTES) ** 2) / 2)
    return AFTERNOON + (1 - AFTERNOON) * exp(-((after / RISE_MINUTES) ** 2) / 2)


def first_minute(minutes: float) -> float:
    """The minute of the day at which a simulation of so many minutes begins."""
    return PEAK_MINUTE - PEAK_AT * minutes


def time_of_day(minute: float, minutes: float) -> str:
    """The time of a simulated minute, as `17:05`, in a rush that lasts so many minutes."""
    at = round(first_minute(minutes) + minute) % _DAY
    return f"{at // 60}:{at % 60:02}"


def draw_arrival(random: Random, begin: float, end: float) -> float:
    """The minute of the day at which somebody arrives between two others, by the curve."""
    while True:
        minute = random.uniform(begin, end)
        if random.random() < arrivals(minute):
            return minute


def draw_stay(random: Random) -> float:
    """For how many minutes somebody stays."""
    while True:
        stay = random.lognormvariate(log(MEAN_STAY_MINUTES) - STAY_SIGMA**2 / 2, STAY_SIGMA)
        if SHORTEST_STAY <= stay <= LONGEST_STAY:
            return stay


def plan_visitors(members: int, gyms: int, minutes: float, seed: int) -> list[Visitor]:
    """One visit of each member, in the order of their arrival.

    It includes those who arrived before the beginning and are still inside then.
    """
    random = Random(seed)  # noqa: S311 - draws a crowd, guards nothing
    popularity = [1 / (1 + _SLOPE * place) for place in range(gyms)]
    visitors = [_visitor(random, place, popularity, minutes) for place in range(members)]
    return sorted(visitors, key=lambda visitor: visitor.arrives)


def capacities(visitors: Sequence[Visitor], gyms: int, minutes: float) -> list[int]:
    """The capacity of each gym: enough, except in the first one, which is full for a while."""
    return [
        max(1, ceil(_most_inside(visitors, gym, minutes) * (_ROOM if gym else _ROOM_OF_THE_FIRST)))
        for gym in range(gyms)
    ]


def _visitor(random: Random, member: int, popularity: Sequence[float], minutes: float) -> Visitor:
    kind = kind_at(member, SHARES)
    arrives, stays = _stay(random, kind, minutes)
    gym = random.choices(range(len(popularity)), popularity)[0]
    gate, exit_gate = random.randrange(GATES_PER_GYM), random.randrange(GATES_PER_GYM)
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
        # The entries before the beginning are ordinary ones.
        oddity=_oddity(random) if kind is MemberKind.ADMITTED and arrives >= 0 else Oddity.NONE,
        other_gym=other_gym,
        # At the same gate it would be taken for the owner's phone, held up.
        other_gate=(gate + 1) % GATES_PER_GYM if at_home else random.randrange(GATES_PER_GYM),
        forgets=random.random() < FORGETS,
        loses_entry=random.random() < LOST_ANSWER,
        loses_exit=random.random() < LOST_ANSWER,
        comes_again=random.random() < COMES_AGAIN,
    )


def _stay(random: Random, kind: MemberKind, minutes: float) -> tuple[float, float]:
    begin = first_minute(minutes)
    # Whom the door refuses is not inside already.
    earliest = begin - LONGEST_STAY if kind is MemberKind.ADMITTED else begin
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
    """The most that are inside until the end, if nobody is refused who may enter."""
    most, until = 0, list[float]()
    for visitor in visitors:
        if visitor.gym != gym or visitor.kind is not MemberKind.ADMITTED:
            continue
        while until and until[0] < visitor.arrives:
            heappop(until)
        heappush(until, minutes if visitor.forgets else visitor.leaves)
        most = max(most, len(until))
    return most
