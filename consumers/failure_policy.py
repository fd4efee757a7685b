"""What happens with a batch that failed: retry, wait, split, or dead-letter."""

from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from domain.errors import UnavailableError
from domain.unit_of_work import is_unavailable, should_retry


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """How long a consumer retries.

    Args:
        attempts: how many times a batch that lost a race runs before it is split.
        first_delay_s, longest_delay_s: bounds of the exponential backoff while a system is unavailable, in seconds.
    """

    attempts: int = 4
    first_delay_s: float = 0.05
    longest_delay_s: float = 1.0


class NextStep(Enum):
    """The next step with a batch that failed."""

    RETRY = auto()  # it lost a race with another transaction
    WAIT = auto()  # a system that it needs is unavailable
    SPLIT = auto()  # one of its messages may be the cause: try each half on its own
    DEAD_LETTER = auto()  # this message is the cause


def next_step(error: Exception, attempt: int, max_attempts: int, batch_size: int) -> NextStep:
    """Choose the next step with a batch that failed.

    Args:
        error: what the handler raised.
        attempt: how many times the batch ran, including this time.
        max_attempts: how many times a batch that lost a race runs before it is split.
        batch_size: number of messages in the batch.
    """
    if _is_unavailable(error):
        return NextStep.WAIT
    lost_race = isinstance(error, DBAPIError) and should_retry(error)
    if lost_race and attempt < max_attempts:
        return NextStep.RETRY
    if batch_size > 1:
        return NextStep.SPLIT
    # A lock is released at some point. A duplicate key that remains is caused by the message itself.
    return NextStep.WAIT if lost_race and not isinstance(error, IntegrityError) else NextStep.DEAD_LETTER


def describe_error(error: Exception) -> str:
    """The error as text for logs and dead letters, without the parameters of an SQL statement."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return f"{type(cause).__name__}: {cause}"


class Backoff:
    """Delays that double with each failure.

    Args:
        first_s: the first delay, in seconds.
        longest_s: the longest delay, in seconds.
    """

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._next_s = first_s

    def next_delay_s(self) -> float:
        """The delay after one more failure."""
        delay_s = self._next_s
        self._next_s = min(2 * delay_s, self._longest_s)
        return delay_s

    def reset(self) -> None:
        """Start again with the first delay, after a success."""
        self._next_s = self._first_s


def _is_unavailable(error: Exception) -> bool:
    if isinstance(error, UnavailableError | PoolTimeoutError):
        return True
    return isinstance(error, DBAPIError) and is_unavailable(error)
