"""Which opening hours cannot be set, and what is said of them."""

from datetime import date

import pytest

from domain.gyms.model import GymProblem
from domain.gyms.opening_hours import OpeningException, OpeningHours
from domain.gyms.timetable import Timetable, refuse_timetable

MONDAY, TUESDAY, SUNDAY = 0, 1, 6
DAY = date(2026, 12, 25)
NEXT = date(2026, 12, 26)


def refusal(*spans: OpeningHours | OpeningException) -> str:
    found = refuse_timetable(
        Timetable(
            tuple(span for span in spans if isinstance(span, OpeningHours)),
            tuple(span for span in spans if isinstance(span, OpeningException)),
        )
    )
    if found is None:
        return ""
    assert found.problem is GymProblem.HOURS_DO_NOT_FIT
    return found.detail


@pytest.mark.parametrize(
    "spans",
    [
        [],
        [OpeningHours(day, 0, 1440) for day in range(7)],
        [OpeningHours(MONDAY, 360, 720), OpeningHours(MONDAY, 720, 1320)],
        [OpeningHours(SUNDAY, 1200, 1800), OpeningHours(MONDAY, 360, 720)],
        [OpeningHours(MONDAY, 0, 2880), OpeningHours(2, 0, 10)],
        [OpeningException(DAY, None, None), OpeningException(NEXT, 600, 700)],
        [OpeningException(DAY, 1200, 1500), OpeningException(NEXT, 60, 700)],
    ],
)
def test_spans_may_touch_and_nights_may_run_into_the_next_day(spans: list[OpeningHours | OpeningException]) -> None:
    assert refusal(*spans) == ""


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        (
            [OpeningHours(MONDAY, 360, 720), OpeningHours(MONDAY, 700, 800)],
            "Monday 06:00-12:00 and Monday 11:40-13:20 overlap. Join them, or end the first by 11:40.",
        ),
        (
            [OpeningHours(MONDAY, 60, 600), OpeningHours(SUNDAY, 1200, 1560)],
            "Sunday 20:00-26:00 and Monday 01:00-10:00 overlap. Join them, or end the first by 25:00.",
        ),
        (
            [OpeningHours(TUESDAY, 360, 720)] * 2,
            "Tuesday 06:00-12:00 and Tuesday 06:00-12:00 overlap. Join them.",
        ),
        (
            [OpeningHours(MONDAY, 1320, 120)],
            "Monday 22:00-02:00 does not end after it begins. For a time after midnight use 26:00.",
        ),
        (
            [OpeningException(DAY, None, None), OpeningException(DAY, 600, 700)],
            "2026-12-25 is both closed all day and listed with hours. Keep one of the two.",
        ),
        (
            [OpeningException(DAY, 1200, 1500), OpeningException(NEXT, 30, 700)],
            "2026-12-25 20:00-25:00 and 2026-12-26 00:30-11:40 overlap. Join them, or end the first by 24:30.",
        ),
    ],
)
def test_invalid_hours_are_named_with_their_fix(spans: list[OpeningHours | OpeningException], said: str) -> None:
    assert refusal(*spans) == said
