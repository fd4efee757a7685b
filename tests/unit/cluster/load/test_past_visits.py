"""What is known of a past without a database."""

from datetime import timedelta

import pytest

from cluster.load.past_visits import Past, PastStatements, member_at, some_members
from cluster.load.world import MemberKind, World
from tests.unit.cluster.load.conftest import NOW

PAST = Past(members=1_000_000, visits=20_000_000, scanned=10_000_000)


def test_members_have_ids_of_version_7_in_the_order_of_their_places() -> None:
    members = [member_at(place) for place in range(1000)]
    assert {member.id.version for member in members} == {7}
    assert [member.id for member in members] == sorted({member.id for member in members})


def test_nine_in_a_hundred_are_refused() -> None:
    kinds = [member_at(place).kind for place in range(1000)]
    assert {kind: kinds.count(kind) for kind in MemberKind} == {
        MemberKind.ADMITTED: 910,
        MemberKind.NO_MEMBERSHIP: 30,
        MemberKind.ENDED: 30,
        MemberKind.BANNED: 30,
    }


def test_those_who_scan_are_spread_over_all() -> None:
    drawn = some_members(PAST, 2000, seed=1)
    places = [int(member.name.split()[1]) for member in drawn]
    assert len(set(places)) == 2000
    assert all(800 < sum(start <= place < start + 500_000 for place in places) < 1200 for start in (0, 500_000))
    assert drawn == some_members(PAST, 2000, seed=1) != some_members(PAST, 2000, seed=2)


@pytest.mark.parametrize("visits", [1, 999, 20_000_000])
def test_the_past_is_over_before_now(world: World, visits: int) -> None:
    rows = PastStatements(world, Past(1000, visits, visits), NOW)
    began, ended = rows.span
    assert ended <= NOW - timedelta(hours=1)
    assert began >= NOW - timedelta(days=800)
