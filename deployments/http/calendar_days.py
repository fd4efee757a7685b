"""Days of a gym's calendar as request fields."""

import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

_FIRST, _LAST = date(2000, 1, 1), date(2999, 12, 31)
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _as_iso_date(day: object) -> object:
    # Pydantic also reads a date from a number of seconds or from a timestamp.
    if isinstance(day, str) and not _ISO_DATE.fullmatch(day):
        raise ValueError("must be a date such as 2026-12-25")
    return day


def _in_range(day: date) -> date:
    if not _FIRST <= day <= _LAST:
        raise ValueError(f"must be between {_FIRST} and {_LAST}")
    return day


IsoDate = Annotated[date, BeforeValidator(_as_iso_date), Field(examples=["2026-12-25"])]
Day = Annotated[IsoDate, AfterValidator(_in_range)]
"""A day around which whole days can be added and subtracted in every time zone."""
