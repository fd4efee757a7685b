"""Passes on members' phones: when codes are issued, how long they are valid, and how they name a member.

There is a new code every 15 s, valid from 10 s before to 45 s after its issue time. Clocks of phones drift, and RFC
6238 section 6 allows about as much. A picture that is sent to a friend is worthless a minute later.

A client that shows a pass once and never renews it gets a long-lived pass, whose code contains its signed validity. The
door is stricter with those (`domain.door.rules`).
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.door.model import PassStatus

PERIOD = timedelta(seconds=15)
GOOD_BEFORE = timedelta(seconds=10)
GOOD_AFTER = timedelta(seconds=45)
LONGEST_VALIDITY = timedelta(minutes=15)
"""Maximum validity of a long-lived pass, and so the time for which the door must remember used codes."""
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
    """The first moment at which a code is valid."""
    return issued_at - GOOD_BEFORE


def good_until(issued_at: datetime, validity: timedelta | None = None) -> datetime:
    """The last moment at which a code is valid; `validity` is that of a long-lived pass."""
    return issued_at + (GOOD_AFTER if validity is None else validity)


def status_of(issued_at: datetime, arrived_at: datetime, validity: timedelta | None = None) -> PassStatus:
    """The status of a genuine code when it arrives; both bounds are valid."""
    in_time = good_from(issued_at) <= arrived_at <= good_until(issued_at, validity)
    return PassStatus.VALID if in_time else PassStatus.STALE


def subject_of(member_id: UUID) -> str:
    """A member's id in a code: 22 characters of base64url."""
    return urlsafe_b64encode(member_id.bytes)[:_SUBJECT_LENGTH].decode()


def member_of(subject: str) -> UUID:
    """The member of a subject.

    Raises:
        ValueError: the text is not exactly what `subject_of` writes.
    """
    if len(subject) != _SUBJECT_LENGTH or not subject.isascii():
        raise ValueError("a subject has 22 characters of base64url")
    member_id = UUID(bytes=urlsafe_b64decode(subject + "=="))
    # Base64 decoders skip other characters and ignore unused bits, so two texts could name one member.
    if subject_of(member_id) != subject:
        raise ValueError("a subject has one spelling")
    return member_id
