"""The passes that members show: when they are issued, and whether a gate would accept them."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from cluster.load.world import Member
from domain.passes import GOOD_AFTER, GOOD_BEFORE, PERIOD, issue_times
from integrations.pass_keys import PassSigner

_MARGIN_S = 2  # issue times are whole seconds, and a request takes a moment
_STALE_FROM, _STALE_TO = timedelta(seconds=120), timedelta(seconds=3600)
_TURNED = 20  # from the end: within the signature, and no letter with spare bits


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass before it is signed. `forged`: its signature will not verify."""

    member_id: UUID
    issued_at: datetime
    forged: bool = False


def signed(shown: Pass, signer: PassSigner) -> str:
    """The text of the QR code; a forged one differs from the genuine one in a letter of its signature."""
    text = signer.sign(shown.member_id, shown.issued_at)
    if not shown.forged:
        return text
    letter = "A" if text[-_TURNED] != "A" else "B"
    return text[:-_TURNED] + letter + text[-_TURNED + 1 :]


@dataclass(frozen=True, slots=True)
class IssueWindow:
    """The issue times of passes that stay valid for a whole measurement, in seconds since 1970, both included."""

    first: int
    last: int

    @classmethod
    def of(cls, now: datetime, valid_for: timedelta) -> "IssueWindow":
        """The issue times of passes that are valid from now on for that long; the window may be empty."""
        first = math.ceil((now + valid_for - GOOD_AFTER).timestamp()) + _MARGIN_S
        return cls(first, math.floor((now + GOOD_BEFORE).timestamp()) - _MARGIN_S)


class IssueTimes:
    """Gives each member issue times, none of them twice: a pass admits once."""

    def __init__(self) -> None:
        self._last: dict[UUID, int] = {}

    def take(self, member_id: UUID, window: IssueWindow) -> datetime | None:
        """The member's next issue time; None when the window holds no further one."""
        second = max(self._last.get(member_id, 0) + 1, window.first)
        if second > window.last:
            return None
        self._last[member_id] = second
        return datetime.fromtimestamp(second, UTC)


def stale_time(now: datetime, fraction: float) -> datetime:
    """An issue time 2 to 60 minutes ago.

    Args:
        fraction: 0 for the latest, 1 for the oldest.
    """
    return (now - _STALE_FROM - (_STALE_TO - _STALE_FROM) * fraction).replace(microsecond=0)


class Phone:
    """A member's phone, whose pass changes every 15 s as the app's does.

    Args:
        member: whose.
        random: draws the age of screenshots.
    """

    def __init__(self, member: Member, random: Random) -> None:
        self._member = member
        self._random = random
        self._shown = member.last_used

    def current(self, now: datetime) -> Pass:
        """The current pass; the next one where an earlier run has used the current one."""
        [issued_at] = issue_times(now)
        return self._show(max(issued_at, _following(self._member.last_used)))

    def following(self) -> Pass:
        """The pass after the one shown last."""
        return self._show(_following(self._shown))

    def screenshot(self, now: datetime) -> Pass:
        """A picture of a pass that has expired."""
        return Pass(self._member.id, stale_time(now, self._random.random()))

    def forged(self, now: datetime) -> Pass:
        """A pass that names the member and has a wrong signature."""
        [issued_at] = issue_times(now)
        return Pass(self._member.id, issued_at, forged=True)

    def _show(self, issued_at: datetime) -> Pass:
        self._shown = int(issued_at.timestamp())
        return Pass(self._member.id, issued_at)


def seconds_until_valid(shown: Pass, now: datetime) -> float:
    """For how many seconds a pass is still too new for a gate."""
    return max(0.0, (shown.issued_at - GOOD_BEFORE + timedelta(seconds=1) - now).total_seconds())


def _following(used: int) -> datetime:
    """The issue time after one in seconds since 1970; for 0 the epoch."""
    if not used:
        return datetime.fromtimestamp(0, UTC)
    [issued_at] = issue_times(datetime.fromtimestamp(used, UTC))
    return issued_at + PERIOD
