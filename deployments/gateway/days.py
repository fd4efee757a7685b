"""Days of a gym's calendar, as they are asked for: near enough that whole days around them can be counted anywhere."""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field

_FIRST, _LAST = date(2000, 1, 1), date(2999, 12, 31)


def _in_reach(day: date) -> date:
    if not _FIRST <= day <= _LAST:
        raise ValueError(f"must be between {_FIRST} and {_LAST}")
    return day


Day = Annotated[date, AfterValidator(_in_reach), Field(examples=["2026-12-25"])]
