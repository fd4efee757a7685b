"""What to do when a batch could not be handled."""

from enum import Enum, auto

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

from domain.payments.ports import PaymentsUnavailableError
from domain.unit_of_work import is_unavailable, should_retry


class Verdict(Enum):
    """The next step with a batch that failed."""

    AGAIN = auto()  # it lost a race; at once
    WAIT = auto()  # something it needs is away; later, and as it is
    SPLIT = auto()  # one of its messages may be to blame; each half by itself
    BURY = auto()  # this message is to blame


def verdict(error: Exception, attempt: int, attempts: int, size: int) -> Verdict:
    """Judge a failure.

    Args:
        error: what handling the batch raised.
        attempt: how often it was tried, this time included.
        attempts: how often a batch that lost a race is tried before it is split.
        size: messages in the batch.
    """
    if isinstance(error, NoConnectionFreeError | PaymentsUnavailableError) or (
        isinstance(error, DBAPIError) and is_unavailable(error)
    ):
        return Verdict.WAIT
    lost_race = isinstance(error, DBAPIError) and should_retry(error)
    if lost_race and attempt < attempts:
        return Verdict.AGAIN
    if size > 1:
        return Verdict.SPLIT
    # A lock that somebody holds is given back one day; a duplicate key that stays is the message's own fault.
    return Verdict.WAIT if lost_race and not isinstance(error, IntegrityError) else Verdict.BURY


def reason(error: Exception) -> str:
    """An error in words fit for logs and dead letters: the database's own, without the values of the statement."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return f"{type(cause).__name__}: {cause}"
