"""The pass on a member's phone: when its codes are issued, how long each is good, whom it names.

A new code every 15 s, each good from 10 s before to 45 s after its issue time. Phones' clocks
drift, and RFC 6238 section 6 allows about as much; a picture sent to a friend is worthless a
minute later.

A client that shows its pass once and never renews it gets a long-lived one: its code says itself, signed, for how many
seconds it is good. The door is stricter with those (`domain.door.rules`).
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.door.model import PassStatus

PERIOD = timedelta(seconds=15)
GOOD_BEFORE = timedelta(seconds=10)
GOOD_AFTER = timedelta(seconds=45)
LONGEST_VALIDITY = timedelta(minutes=15)
"""Of a long-lived pass. No code that says more is genuine, so this bounds how long used codes matter to the door."""
MOST_AHEAD = 40  # codes that a phone may fetch at once: ten minutes without a network

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SUBJECT_LENGTH = 22  # 128 bits as base64url without padding


def issue_times(now: datetime, count: int = 1) -> list[datetime]:
    """The issue time of the current code and of those that follow it.

    Args:
        now: an aware time.
        count: how many codes, 1 to 40.

    Returns:
        Times in UTC, whole multiples of 15 s, the first not later than `now`.

    Raises:
        ValueError: `count` is out of its range.
    """
    if not 1 <= count <= MOST_AHEAD:
        raise ValueError(f"between 1 and {MOST_AHEAD} codes can be issued at once")
    first = _EPOCH + (now - _EPOCH) // PERIOD * PERIOD
    return [first + number * PERIOD for number in range(count)]


def good_from(issued_at: datetime) -> datetime:
    """The first moment at which a code opens a gate."""
    return issued_at - GOOD_BEFORE


def good_until(issued_at: datetime, validity: timedelta | None = None) -> datetime:
    """The last moment at which a code opens a gate; `validity` is that of a long-lived one."""
    return issued_at + (GOOD_AFTER if validity is None else validity)


def status_of(issued_at: datetime, arrived_at: datetime, validity: timedelta | None = None) -> PassStatus:
    """What a genuine code says of itself at the moment it arrives; both bounds count as good."""
    in_time = good_from(issued_at) <= arrived_at <= good_until(issued_at, validity)
    return PassStatus.VALID if in_time else PassStatus.STALE


def subject_of(member_id: UUID) -> str:
    """A member's id as it stands in a code: 22 characters of base64url."""
    return urlsafe_b64encode(member_id.bytes)[:_SUBJECT_LENGTH].decode()


def member_of(subject: str) -> UUID:
    """The member that a subject names.

    Raises:
        ValueError: it is not what `subject_of` writes, to the letter.
    """
    if len(subject) != _SUBJECT_LENGTH or not subject.isascii():
        raise ValueError("a subject has 22 characters of base64url")
    member_id = UUID(bytes=urlsafe_b64decode(subject + "=="))
    # Base64 decoders skip foreign letters and ignore spare bits: two spellings would name one member.
    if subject_of(member_id) != subject:
        raise ValueError("a subject has one spelling")
    return member_id
