"""How this system's Kafka clients are configured, in one place."""

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
_MOCK_CLUSTER = "mockCluster"  # how librdkafka's mock broker calls itself
_ASK_BROKER_S = 2.0
_SAME_LINE_EVERY_S = 30.0
_WARNING = 30  # of the standard library's levels, which the client library speaks
# A door waits 1.8 s: a broker that is back is worth another attempt at once, and one that is away costs little.
_COMMON: Config = {
    "socket.nagle.disable": True,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1000,
    "topic.metadata.refresh.interval.ms": 10_000,
    "allow.auto.create.topics": True,  # the mock broker makes topics no other way; real brokers forbid it
    "log.connection.close": False,
    "log_level": 4,
}


def common_config(settings: KafkaSettings) -> Config:
    """What producers and consumers share: where Kafka is, how it is spoken to, where their log lines go."""
    return _COMMON | {
        "bootstrap.servers": settings.bootstrap_servers,
        "security.protocol": settings.security_protocol,
        "logger": ClientLog(),
        "error_cb": _told_by_the_log,
    }


def producer_config(settings: KafkaSettings, message_timeout_s: float) -> Config:
    """An idempotent producer that sends at once.

    Args:
        settings: where Kafka is.
        message_timeout_s: after so long an undelivered message is given up.
    """
    return common_config(settings) | {
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 0,
        "message.timeout.ms": max(1, round(message_timeout_s * 1000)),
        "partitioner": "murmur2_random",  # what Java's clients do: a gym keeps its partition, whoever writes
    }


def fetch_wait_ms(settings: KafkaSettings) -> int:
    """Ask the broker how long it may hold a request for messages that are not there yet.

    A real broker answers the moment there is one. The mock broker looks again only when the time is over, so with
    the usual half second every command and every reply would take a quarter of a second more.

    Raises:
        KafkaException: the broker cannot be asked.
    """
    cluster_id = AdminClient(common_config(settings)).cluster_id(_ASK_BROKER_S)
    return _MOCK_FETCH_WAIT_MS if cluster_id.startswith(_MOCK_CLUSTER) else FETCH_WAIT_MS


def group_consumer_config(settings: KafkaSettings, group: str, wait_ms: int = FETCH_WAIT_MS) -> Config:
    """A consumer of a group whose offsets are stored by hand and committed twice a second.

    The classic protocol, because there the client chooses how soon a killed member is missed.

    Args:
        settings: where Kafka is.
        group: whose work it shares.
        wait_ms: what `fetch_wait_ms` says.
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
        # What a killed consumer leaves uncommitted is decided again by the next, so it is kept small.
        "auto.commit.interval.ms": 500,
        "fetch.wait.max.ms": wait_ms,
        "fetch.error.backoff.ms": 100,
        # What is fetched is handled in the order in which it came: with the usual MiB of one partition, thousands of
        # commands, a gym would stand behind all that another is behind with.
        "max.partition.fetch.bytes": 32 * 1024,
    }


def assigned_consumer_config(settings: KafkaSettings, name: str, wait_ms: int = FETCH_WAIT_MS) -> Config:
    """A consumer that is told its partitions and commits nothing.

    Args:
        settings: where Kafka is.
        name: of the group that the protocol demands; nobody joins it.
        wait_ms: what `fetch_wait_ms` says.
    """
    return common_config(settings) | {
        "group.id": name,
        # Only when the topic was made anew or cut: everything in it may be for us.
        "auto.offset.reset": "earliest",
        "enable.auto.offset.store": False,
        "enable.auto.commit": False,
        "fetch.wait.max.ms": wait_ms,
        "fetch.error.backoff.ms": 100,
    }


def open_group_consumer(settings: KafkaSettings, group: str) -> Consumer:
    """A consumer of a group, made for the broker that there is; its owner closes it."""
    try:
        wait_ms = fetch_wait_ms(settings)
    except KafkaException:  # away for now, and therefore no mock broker beside us
        wait_ms = FETCH_WAIT_MS
    return Consumer(group_consumer_config(settings, group, wait_ms))


def is_fatal(error: Exception) -> bool:
    """Whether a client is beyond use and must be made anew."""
    cause = error.args[0] if isinstance(error, KafkaException) and error.args else None
    return isinstance(cause, KafkaError) and (cause.fatal() or cause.code() == KafkaError._FATAL)  # noqa: SLF001 - the library's own name


def _told_by_the_log(_error: KafkaError) -> None:
    """Errors of the connection; the same ones arrive as log lines, which say more."""


class ClientLog:
    """librdkafka's log lines as structured ones. A broker that is away repeats itself many times a second.

    Args:
        monotonic: seconds of a clock that only rises.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told_at: dict[tuple[str, str], float] = {}
        self._lock = Lock()

    def log(self, level: int, _format: str, facility: str, client: str, line: str) -> None:
        """Take one line, in the shape in which confluent-kafka calls a standard logger."""
        now = self._monotonic()
        with self._lock:
            told_at = self._told_at.get((facility, client))
            if told_at is not None and now - told_at < _SAME_LINE_EVERY_S:
                return
            self._told_at[facility, client] = now
        write = _log.warning if level >= _WARNING else _log.info
        write("kafka_client", facility=facility, client=client, line=line)
