"""Retries calls to a broker that has just started: for a moment it leads no partitions and no groups."""

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

T = TypeVar("T")

_PAUSE_S = 0.1
_NO_LEADER_YET = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}


def retry_until_leader(call: Callable[[], T], timeout_s: float = 5.0) -> T:
    """Call, and call again while there is no leader or no coordinator yet.

    Args:
        call: one call of an admin client or a consumer.
        timeout_s: how long to retry, in seconds.

    Raises:
        KafkaException: Kafka is unavailable, refuses the call, or has no leader after the timeout.
    """
    give_up_at = time.monotonic() + timeout_s
    while True:
        try:
            return call()
        except KafkaException as error:
            if error.args[0].code() not in _NO_LEADER_YET or time.monotonic() >= give_up_at:
                raise
        time.sleep(_PAUSE_S)
