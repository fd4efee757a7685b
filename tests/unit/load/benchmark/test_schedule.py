"""Steady schedules."""

import pytest

from cluster.load.schedule import at_once, late_share, steady


@pytest.mark.parametrize(("rate", "requests", "lanes"), [(100.0, 500, 8), (3.0, 10, 4), (50.0, 2, 5)])
def test_requests_are_due_at_even_distances_over_all_lanes(rate: float, requests: int, lanes: int) -> None:
    due = steady(rate, requests, lanes)
    assert len(due) == lanes
    assert sorted(at for lane in due for at in lane) == pytest.approx([place / rate for place in range(requests)])


def test_each_lane_has_every_nth_request() -> None:
    assert steady(10.0, 7, 3) == [[0.0, 0.3, 0.6], [0.1, 0.4], [0.2, 0.5]]


def test_all_at_once_is_as_long_as_the_lanes() -> None:
    assert at_once(["abc", "", "a"]) == [[0.0, 0.0, 0.0], [], [0.0]]


def test_the_late_are_those_sent_well_after_they_were_due() -> None:
    assert late_share([0.0, 0.001, 0.2, 0.004]) == 0.25
    assert late_share([]) == 0.0
