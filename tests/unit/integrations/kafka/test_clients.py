import structlog
from confluent_kafka import KafkaError, KafkaException

from integrations.kafka.clients import (
    ClientLog,
    assigned_consumer_config,
    group_consumer_config,
    is_fatal,
    producer_config,
)
from integrations.settings import KafkaSettings

SETTINGS = KafkaSettings(bootstrap_servers="broker:1", security_protocol="SSL", session_timeout_ms=9000)


def test_a_producer_neither_loses_nor_duplicates_messages() -> None:
    config = producer_config(SETTINGS, 1.8)
    assert (config["enable.idempotence"], config["acks"]) == (True, "all")
    assert (config["linger.ms"], config["message.timeout.ms"]) == (0, 1800)


def test_a_group_consumer_stores_no_offset_by_itself() -> None:
    config = group_consumer_config(SETTINGS, "group")
    assert config["enable.auto.offset.store"] is False
    assert config["auto.offset.reset"] == "earliest"


def test_a_killed_consumer_is_detected_after_the_session_timeout_of_the_settings() -> None:
    config = group_consumer_config(SETTINGS, "group")
    assert config["session.timeout.ms"] == 9000
    assert config["heartbeat.interval.ms"] < 9000 / 3


def test_a_listener_commits_nothing() -> None:
    config = assigned_consumer_config(SETTINGS, "door-replies")
    assert config["enable.auto.commit"] is False


def test_every_client_connects_to_the_broker_of_the_settings() -> None:
    for config in (
        producer_config(SETTINGS, 1),
        group_consumer_config(SETTINGS, "g"),
        assigned_consumer_config(SETTINGS, "r"),
    ):
        assert (config["bootstrap.servers"], config["security.protocol"]) == ("broker:1", "SSL")


def test_an_unavailable_broker_is_logged_every_thirty_seconds() -> None:
    now = [0.0]
    log = ClientLog(lambda: now[0])
    with structlog.testing.capture_logs() as lines:
        for _ in range(100):
            log.log(40, "%s [%s] %s", "FAIL", "consumer-1", "connection refused")
            now[0] += 1
        log.log(20, "%s [%s] %s", "FAIL", "producer-2", "connection closed")
    assert len(lines) == 5  # at 0, 30, 60, 90 s, and the other client's
    assert lines[0] == {
        "event": "kafka_client",
        "log_level": "warning",
        "facility": "FAIL",
        "client": "consumer-1",
        "line": "connection refused",
    }
    assert lines[-1]["log_level"] == "info"


def test_only_a_fatal_error_makes_a_client_unusable() -> None:
    assert is_fatal(KafkaException(KafkaError(KafkaError.UNKNOWN_PRODUCER_ID, fatal=True)))
    assert not is_fatal(KafkaException(KafkaError(KafkaError.REQUEST_TIMED_OUT)))
    assert not is_fatal(BufferError("queue full"))
