"""The evening has the shape of its source."""

from random import Random
from statistics import mean, quantiles

import pytest

from cluster.load.rush.curve import (
    AFTERNOON,
    LONGEST_STAY,
    MEAN_STAY_MINUTES,
    PEAK_MINUTE,
    SHORTEST_STAY,
    arrivals,
    draw_arrival,
    draw_stay,
    first_minute,
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
