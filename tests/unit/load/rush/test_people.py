"""The plan of a rush."""

from collections import Counter

import pytest

from cluster.load.rush.visitors import ODDITIES, Oddity, Visitor, capacities, kind_at, plan_people
from cluster.load.world import Kind

PLAN = plan_people(2000, 10, 60, 1)


def test_the_same_seed_gives_the_same_people() -> None:
    assert plan_people(2000, 10, 60, 1) == PLAN
    assert plan_people(2000, 10, 60, 2) != PLAN


def test_each_member_comes_once_in_the_order_of_the_plan() -> None:
    assert sorted(visitor.member for visitor in PLAN) == list(range(2000))
    assert [visitor.arrives for visitor in PLAN] == sorted(visitor.arrives for visitor in PLAN)


def test_who_came_before_is_still_inside() -> None:
    before = [visitor for visitor in PLAN if visitor.arrives < 0]
    assert 400 < len(before) < 800
    assert all(visitor.leaves > 0 and visitor.kind is Kind.ADMITTED for visitor in before)
    assert all(visitor.oddity is Oddity.NONE for visitor in before)
    assert all(visitor.arrives <= 60 for visitor in PLAN)


def test_kinds_are_spread_evenly() -> None:
    counted = Counter(kind_at(place) for place in range(1000))
    assert counted == {Kind.ADMITTED: 930, Kind.NO_MEMBERSHIP: 30, Kind.ENDED: 30, Kind.BANNED: 10}
    assert len({kind_at(place) for place in range(60)}) >= 3
    assert all(visitor.kind is kind_at(visitor.member) for visitor in PLAN)


def test_odd_visits_have_their_share() -> None:
    counted = Counter(visitor.oddity for visitor in PLAN if visitor.arrives >= 0 and visitor.kind is Kind.ADMITTED)
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
    here = [visitor for visitor in plan if visitor.gym == gym and visitor.kind is Kind.ADMITTED]
    return max(
        sum(other.arrives <= one.arrives and (other.forgets or other.leaves >= one.arrives) for other in here)
        for one in here
    )
