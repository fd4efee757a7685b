"""What members' phones show at which moment: codes that rotate every quarter of a minute, as the app's do."""

from datetime import UTC, datetime, timedelta
from random import Random

from cluster.load.passes import Code, stale_time
from cluster.load.rush.world import RushMember
from domain.passes import GOOD_BEFORE, PERIOD, issue_times

_MARGIN = timedelta(seconds=1)  # until the door reads it


class Phone:
    """One member's phone.

    Args:
        member: whose.
        random: for what somebody does by chance.
    """

    def __init__(self, member: RushMember, random: Random) -> None:
        self._member = member
        self._random = random
        self._shown = member.last_used

    def code(self, now: datetime) -> Code:
        """The present code; the next one where the present one has let somebody in during an earlier rush."""
        [issued_at] = issue_times(now)
        return self._show(max(issued_at, self._after(self._member.last_used)))

    def next_code(self) -> Code:
        """The code that follows the one shown last."""
        return self._show(self._after(self._shown))

    def wait_for(self, code: Code, now: datetime) -> float:
        """For how many seconds a code is still too new for a door."""
        return max(0.0, (code.issued_at - GOOD_BEFORE + _MARGIN - now).total_seconds())

    def screenshot(self, now: datetime) -> Code:
        """A picture of a code that was taken some minutes ago."""
        return Code(self._member.id, stale_time(now, self._random.random()))

    def forged(self, now: datetime) -> Code:
        """A code that names the member and was signed by nobody."""
        [issued_at] = issue_times(now)
        return Code(self._member.id, issued_at, forged=True)

    def _show(self, issued_at: datetime) -> Code:
        self._shown = int(issued_at.timestamp())
        return Code(self._member.id, issued_at)

    def _after(self, used: int) -> datetime:
        """The issue time that follows one; the epoch for none."""
        if not used:
            return datetime.fromtimestamp(0, UTC)
        [issued_at] = issue_times(datetime.fromtimestamp(used, UTC))
        return issued_at + PERIOD
