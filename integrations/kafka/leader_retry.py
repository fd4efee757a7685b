"""Asking a broker that has just come back: for a moment it answers and leads neither partitions nor groups."""

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

T = TypeVar("T")

_PAUSE_S = 0.1
_NOT_YET = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}


def once_returned(ask: Callable[[], T], patience_s: float = 5.0) -> T:
    """Ask, and ask again while the broker says that it does not lead yet.

    Args:
        ask: one question of an admin client or a consumer.
        patience_s: for how long it is asked again.

    Raises:
        KafkaException: the broker is away, refuses, or still says so.
    """
    give_up_at = time.monotonic() + patience_s
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _NOT_YET or time.monotonic() >= give_up_at:
                raise
        time.sleep(_PAUSE_S)
