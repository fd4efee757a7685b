"""Which codes can be made ahead of a measurement and are still good throughout it."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.passes import GOOD_AFTER, GOOD_BEFORE

_MARGIN_S = 2  # issue times are whole seconds, and requests take a moment
_STALE_FROM, _STALE_TO = timedelta(seconds=120), timedelta(seconds=3600)


@dataclass(frozen=True, slots=True)
class Code:
    """A code still to be signed. `forged`: with a signature that is not ours."""

    member_id: UUID
    issued_at: datetime
    forged: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """The issue times, in seconds since 1970, of the codes that are good all along; both ends included."""

    first: int
    last: int

    @classmethod
    def of(cls, now: datetime, good_for: timedelta) -> "Window":
        """The issue times whose codes are good from now on for so long; none may be."""
        latest = now + good_for
        first = math.ceil((latest - GOOD_AFTER).timestamp()) + _MARGIN_S
        return cls(first, math.floor((now + GOOD_BEFORE).timestamp()) - _MARGIN_S)


class IssueTimes:
    """Gives each member issue times, none twice: a code admits once, and a phone never shows the same one for long."""

    def __init__(self) -> None:
        self._last: dict[UUID, int] = {}

    def take(self, member_id: UUID, window: Window) -> datetime | None:
        """The member's next issue time; None when the window holds no further one."""
        second = max(self._last.get(member_id, 0) + 1, window.first)
        if second > window.last:
            return None
        self._last[member_id] = second
        return datetime.fromtimestamp(second, UTC)


def stale_time(now: datetime, fraction: float) -> datetime:
    """An issue time that is long past; `fraction`, 0 to 1, says how long."""
    return (now - _STALE_FROM - (_STALE_TO - _STALE_FROM) * fraction).replace(microsecond=0)
