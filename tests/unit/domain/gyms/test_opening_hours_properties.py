"""What holds of any hours around any change of the clocks."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.gyms.opening_hours import OpeningException, OpeningHours, change_after, closing_after, is_open

# Each with a day on which its clocks change: by an hour either way, by half an hour, at midnight, by a whole day.
CHANGES = [
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Havana", date(2026, 3, 8)),
    ("America/Havana", date(2026, 11, 1)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Asia/Kathmandu", date(2026, 3, 29)),
]
MINUTE = timedelta(minutes=1)

spans = st.tuples(st.integers(0, 1439), st.integers(1, 2880)).map(lambda span: (span[0], min(2880, span[0] + span[1])))
weeks = st.lists(st.builds(lambda day, span: OpeningHours(day, *span), st.integers(0, 6), spans), max_size=8)
changes = st.sampled_from(CHANGES)
offsets = st.integers(-3 * 1440, 3 * 1440).map(lambda minutes: timedelta(minutes=minutes))


@st.composite
def exceptions(draw: st.DrawFn, around: date) -> list[OpeningException]:
    found = []
    for days in draw(st.sets(st.integers(-3, 4), max_size=3)):
        span = draw(st.none() | spans)
        found.append(OpeningException(around + timedelta(days=days), *(span or (None, None))))
    return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[OpeningHours], list[OpeningException], str, datetime]:
    zone, day = draw(changes)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return draw(weeks), draw(exceptions(day)), zone, noon + draw(offsets)


def by_the_wall(
    hours: list[OpeningHours], special: list[OpeningException], zone: ZoneInfo, moment: datetime
) -> bool | None:
    """What the clock on the wall says, minute by minute; None while it shows what it has shown or will show again."""
    wall = moment.astimezone(zone)
    if wall.replace(fold=0).utcoffset() != wall.replace(fold=1).utcoffset():
        return None
    shown = wall.replace(tzinfo=None)
    for day in (shown.date() + timedelta(days=days) for days in (-2, -1, 0)):
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the wall's
        named = [one for one in special if one.day == day]
        if named:
            minutes = [(one.opens_minute, one.closes_minute) for one in named]
        elif hours:
            minutes = [(one.opens_minute, one.closes_minute) for one in hours if one.weekday == day.weekday()]
        else:
            minutes = [(0, 1440)]
        for opens, closes in minutes:
            if opens is None or closes is None:
                continue
            if midnight + opens * MINUTE <= shown < midnight + closes * MINUTE:
                return True
    return False


@settings(max_examples=50)
@given(cases())
def test_a_gym_is_open_when_the_clock_on_its_wall_says_so(
    case: tuple[list[OpeningHours], list[OpeningException], str, datetime],
) -> None:
    hours, special, zone, moment = case
    said = by_the_wall(hours, special, ZoneInfo(zone), moment)
    assert said is None or is_open(hours, special, zone, moment) == said


@settings(max_examples=50)
@given(cases())
def test_a_closing_is_the_first_moment_after_at_which_the_gym_is_open_no_longer(
    case: tuple[list[OpeningHours], list[OpeningException], str, datetime],
) -> None:
    hours, special, zone, moment = case
    closes = closing_after(hours, special, zone, moment)
    seen_open = is_open(hours, special, zone, moment)
    last = moment + timedelta(days=4) if closes is None else closes
    asked = moment
    while asked < min(last, moment + timedelta(days=4)):  # open, then never closed again until it closes
        now_open = is_open(hours, special, zone, asked)
        assert now_open or not seen_open, (asked, closes)
        seen_open = now_open
        asked += 20 * MINUTE
    if closes is not None:
        assert closes > moment
        assert is_open(hours, special, zone, closes - timedelta(microseconds=1))
        assert not is_open(hours, special, zone, closes)


@settings(max_examples=50)
@given(cases())
def test_until_its_next_change_a_gym_is_as_it_is_now(
    case: tuple[list[OpeningHours], list[OpeningException], str, datetime],
) -> None:
    hours, special, zone, moment = case
    change = change_after(hours, special, zone, moment)
    now_open = is_open(hours, special, zone, moment)
    asked = moment
    while asked < min(change or asked + timedelta(days=30), moment + timedelta(days=4)):
        assert is_open(hours, special, zone, asked) == now_open
        asked += 20 * MINUTE
    if change is not None:
        assert change > moment
        assert is_open(hours, special, zone, change) != now_open
        assert not now_open or change == closing_after(hours, special, zone, moment)
