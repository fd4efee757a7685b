"""Days of a gym's calendar, as they are asked for: near enough that whole days around them can be counted anywhere."""

import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

_FIRST, _LAST = date(2000, 1, 1), date(2999, 12, 31)
_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _as_written(day: object) -> object:
    """Pydantic takes a number of seconds and a moment for a day as well, which is a mistake of whoever sends it."""
    if isinstance(day, str) and not _WRITTEN.fullmatch(day):
        raise ValueError("must be a day such as 2026-12-25")
    return day


def _in_reach(day: date) -> date:
    if not _FIRST <= day <= _LAST:
        raise ValueError(f"must be between {_FIRST} and {_LAST}")
    return day


WrittenDay = Annotated[date, BeforeValidator(_as_written), Field(examples=["2026-12-25"])]
Day = Annotated[WrittenDay, AfterValidator(_in_reach)]
