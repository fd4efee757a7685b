"""The configuration of all Kafka clients."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from integrations.settings import KafkaSettings

_log = structlog.get_logger(__name__)

Config = dict[str, Any]

FETCH_WAIT_MS = 500
_MOCK_FETCH_WAIT_MS = 5
MOCK_CLUSTER = "mockCluster"  # the cluster id of librdkafka's mock broker
_BROKER_TIMEOUT_S = 2.0
_LOG_INTERVAL_S = 30.0
_WARNING = 30  # the level of Python's `logging`, which librdkafka's lines arrive with
# A door waits 1.8 s, so a client reconnects at once when a broker returns, and at a low rate while it stays away.
_COMMON: Config = {
    "socket.nagle.disable": True,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1000,
    "topic.metadata.refresh.interval.ms": 10_000,
    "allow.auto.create.topics": True,  # the mock broker creates topics only this way; real brokers forbid it
    "log.connection.close": False,
    "log_level": 4,
}


def common_config(settings: KafkaSettings) -> Config:
    """The configuration that producers and consumers share: address, security, logging."""
    return _COMMON | {
        "bootstrap.servers": settings.bootstrap_servers,
        "security.protocol": settings.security_protocol,
        "logger": ClientLog(),
        "error_cb": _ignore_error,
    }


def producer_config(settings: KafkaSettings, message_timeout_s: float) -> Config:
    """An idempotent producer that sends without delay.

    Args:
        settings: of Kafka.
        message_timeout_s: how long to try to deliver a message, in seconds.
    """
    return common_config(settings) | {
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 0,
        "message.timeout.ms": max(1, round(message_timeout_s * 1000)),
        "partitioner": "murmur2_random",  # the partitioner of Java clients: a key has one partition for all producers
    }


def fetch_wait_ms(settings: KafkaSettings) -> int:
    """How long the broker may hold a fetch request without messages.

    A real broker responds as soon as a message arrives. The mock broker checks again only at the end of this time, so
    the usual half second would delay each command and each reply by a quarter of a second on average.

    Raises:
        KafkaException: the broker is unavailable.
    """
    cluster_id = AdminClient(common_config(settings)).cluster_id(_BROKER_TIMEOUT_S)
    return _MOCK_FETCH_WAIT_MS if cluster_id.startswith(MOCK_CLUSTER) else FETCH_WAIT_MS


def group_consumer_config(settings: KafkaSettings, group: str, wait_ms: int = FETCH_WAIT_MS) -> Config:
    """A member of a consumer group that stores offsets itself. They are committed twice a second.

    It uses the classic protocol, where the client sets the session timeout.

    Args:
        settings: of Kafka.
        group: the name of the consumer group.
        wait_ms: the result of `fetch_wait_ms`.
    """
    return common_config(settings) | {
        "group.id": group,
        "group.protocol": "classic",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": settings.session_timeout_ms,
        "heartbeat.interval.ms": max(200, min(1000, settings.session_timeout_ms // 6)),
        "auto.offset.reset": "earliest",
        "enable.auto.offset.store": False,
        "enable.auto.commit": True,
        # Messages that a killed consumer has not committed are handled again, so the interval is short.
        "auto.commit.interval.ms": 500,
        "fetch.wait.max.ms": wait_ms,
        "fetch.error.backoff.ms": 100,
        # Fetched messages are handled in order. The default of 1 MiB per partition is thousands of commands: a gym
        # would wait behind the backlog of another gym.
        "max.partition.fetch.bytes": 32 * 1024,
    }


def assigned_consumer_config(settings: KafkaSettings, name: str, wait_ms: int = FETCH_WAIT_MS) -> Config:
    """A consumer with manually assigned partitions. It commits nothing.

    Args:
        settings: of Kafka.
        name: the group id, which the protocol requires. No client joins this group.
        wait_ms: the result of `fetch_wait_ms`.
    """
    return common_config(settings) | {
        "group.id": name,
        # Applies only when the topic was recreated or truncated. Then each of its messages may matter.
        "auto.offset.reset": "earliest",
        "enable.auto.offset.store": False,
        "enable.auto.commit": False,
        "fetch.wait.max.ms": wait_ms,
        "fetch.error.backoff.ms": 100,
    }


def open_group_consumer(settings: KafkaSettings, group: str) -> Consumer:
    """Open a member of a consumer group, configured for the present broker. The caller closes it."""
    try:
        wait_ms = fetch_wait_ms(settings)
    except KafkaException:  # unavailable, so it is no mock broker: that runs beside this process
        wait_ms = FETCH_WAIT_MS
    return Consumer(group_consumer_config(settings, group, wait_ms))


def is_fatal(error: Exception) -> bool:
    """Whether the client cannot be used any more and must be replaced."""
    cause = error.args[0] if isinstance(error, KafkaException) and error.args else None
    return isinstance(cause, KafkaError) and (cause.fatal() or cause.code() == KafkaError._FATAL)  # noqa: SLF001 - the library's own name


def _ignore_error(_error: KafkaError) -> None:
    """Connection errors also arrive as log lines, with more detail."""


class ClientLog:
    """Writes librdkafka's log lines as structured events, at most one per client and facility in 30 s.

    While a broker is unavailable, librdkafka repeats the same line many times a second.

    Args:
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._logged_at: dict[tuple[str, str], float] = {}
        self._lock = Lock()

    def log(self, level: int, _format: str, facility: str, client: str, line: str) -> None:
        """Log one line, with the arguments that confluent-kafka passes to a standard logger."""
        now = self._monotonic()
        with self._lock:
            logged_at = self._logged_at.get((facility, client))
            if logged_at is not None and now - logged_at < _LOG_INTERVAL_S:
                return
            self._logged_at[facility, client] = now
        write = _log.warning if level >= _WARNING else _log.info
        write("kafka_client", facility=facility, client=client, line=line)
