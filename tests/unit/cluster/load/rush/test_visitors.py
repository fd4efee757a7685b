"""The plan of a rush."""

from collections import Counter
from random import Random
from statistics import mean, quantiles

import pytest

from cluster.load.rush.visitors import (
    AFTERNOON,
    LONGEST_STAY,
    MEAN_STAY_MINUTES,
    ODDITIES,
    PEAK_MINUTE,
    SHARES,
    SHORTEST_STAY,
    Oddity,
    Visitor,
    arrivals,
    capacities,
    draw_arrival,
    draw_stay,
    first_minute,
    plan_visitors,
    time_of_day,
)
from cluster.load.world import BENCHMARK_SHARES, MemberKind, kind_at

PLAN = plan_visitors(2000, 10, 60, 1)


def test_the_same_seed_gives_the_same_people() -> None:
    assert plan_visitors(2000, 10, 60, 1) == PLAN
    assert plan_visitors(2000, 10, 60, 2) != PLAN


def test_each_member_comes_once_in_the_order_of_the_plan() -> None:
    assert sorted(visitor.member for visitor in PLAN) == list(range(2000))
    assert [visitor.arrives for visitor in PLAN] == sorted(visitor.arrives for visitor in PLAN)


def test_who_came_before_is_still_inside() -> None:
    before = [visitor for visitor in PLAN if visitor.arrives < 0]
    assert 400 < len(before) < 800
    assert all(visitor.leaves > 0 and visitor.kind is MemberKind.ADMITTED for visitor in before)
    assert all(visitor.oddity is Oddity.NONE for visitor in before)
    assert all(visitor.arrives <= 60 for visitor in PLAN)


def test_kinds_are_spread_evenly() -> None:
    counted = Counter(kind_at(place, SHARES) for place in range(1000))
    assert counted == {
        MemberKind.ADMITTED: 930,
        MemberKind.NO_MEMBERSHIP: 30,
        MemberKind.ENDED: 30,
        MemberKind.BANNED: 10,
    }
    assert len({kind_at(place, SHARES) for place in range(60)}) >= 3
    assert all(visitor.kind is kind_at(visitor.member, SHARES) for visitor in PLAN)


def test_each_load_has_its_shares() -> None:
    counted = Counter(kind_at(place, BENCHMARK_SHARES) for place in range(1000))
    assert counted == {MemberKind.ADMITTED: 910, **BENCHMARK_SHARES}
    assert {kind_at(place, {}) for place in range(1000)} == {MemberKind.ADMITTED}


def test_odd_visits_have_their_share() -> None:
    counted = Counter(
        visitor.oddity for visitor in PLAN if visitor.arrives >= 0 and visitor.kind is MemberKind.ADMITTED
    )
    for oddity, share in ODDITIES.items():
        assert counted[oddity] / counted.total() == pytest.approx(share, abs=0.015)


def test_a_copy_is_never_shown_where_it_would_be_the_owners_phone() -> None:
    assert all((visitor.gym, visitor.gate) != (visitor.other_gym, visitor.other_gate) for visitor in PLAN)


def test_the_first_gym_draws_most_and_is_too_small() -> None:
    counted = Counter(visitor.gym for visitor in PLAN)
    assert counted.most_common(1)[0][0] in {0, 1}
    room = capacities(PLAN, 10, 60)
    assert room[0] < _most_inside(PLAN, 0)
    assert all(room[gym] >= _most_inside(PLAN, gym) for gym in range(1, 10))


def test_a_gym_to_which_nobody_comes_has_a_place() -> None:
    assert capacities([], 2, 60) == [1, 1]


def _most_inside(plan: list[Visitor], gym: int) -> int:
    """Counted otherwise than in the plan: at each arrival."""
    here = [visitor for visitor in plan if visitor.gym == gym and visitor.kind is MemberKind.ADMITTED]
    return max(
        sum(other.arrives <= one.arrives and (other.forgets or other.leaves >= one.arrives) for other in here)
        for one in here
    )


def test_most_come_when_the_offices_close() -> None:
    minutes = range(15 * 60, 22 * 60)
    assert max(minutes, key=arrivals) == PEAK_MINUTE
    assert arrivals(PEAK_MINUTE) == 1
    assert arrivals(15 * 60) == pytest.approx(AFTERNOON)
    assert arrivals(PEAK_MINUTE - 15) < 0.5 < arrivals(PEAK_MINUTE + 60)
    assert arrivals(21 * 60) < 0.02


# Entries by the quarter of an hour from 17:00 to 19:00 in the source, of 1,725 between 15 and 21 o'clock.
@pytest.mark.parametrize(
    ("minute", "entries"),
    [(1020, 131), (1035, 197), (1050, 195), (1065, 142), (1080, 102), (1095, 103), (1110, 121), (1125, 67)],
)
def test_as_many_come_as_in_the_source(minute: int, entries: int) -> None:
    whole = sum(arrivals(at) for at in range(15 * 60, 21 * 60))
    assert 1725 * sum(arrivals(at) for at in range(minute, minute + 15)) / whole == pytest.approx(entries, rel=0.36)


def test_the_arrivals_that_are_drawn_follow_the_curve() -> None:
    random = Random(1)  # noqa: S311
    begin, end = 16 * 60.0, 20 * 60.0
    drawn = [draw_arrival(random, begin, end) for _ in range(20_000)]
    whole = sum(arrivals(at + 0.5) for at in range(int(begin), int(end)))
    for hour in range(16, 20):
        share = sum(hour * 60 <= at < hour * 60 + 60 for at in drawn) / len(drawn)
        assert share == pytest.approx(
            sum(arrivals(at + 0.5) for at in range(hour * 60, hour * 60 + 60)) / whole, abs=0.02
        )


def test_stays_have_the_mean_of_their_source() -> None:
    stays = [draw_stay(Random(seed)) for seed in range(5000)]  # noqa: S311
    assert mean(stays) == pytest.approx(MEAN_STAY_MINUTES, rel=0.03)
    assert min(stays) >= SHORTEST_STAY
    assert max(stays) <= LONGEST_STAY
    twentieths = quantiles(stays, n=20)
    assert twentieths[0] == pytest.approx(33, abs=3)
    assert twentieths[-1] == pytest.approx(123, abs=6)


def test_the_peak_is_in_every_rush() -> None:
    for minutes in (10, 60, 240):
        assert first_minute(minutes) < PEAK_MINUTE < first_minute(minutes) + minutes


def test_simulated_minutes_have_a_time_of_day() -> None:
    assert (time_of_day(0, 60), time_of_day(20, 60)) == ("16:55", "17:15")
