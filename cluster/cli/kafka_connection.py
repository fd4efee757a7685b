"""The stack's Kafka, for one command."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from cluster.errors import CommandError
from cluster.settings_file import stack_settings
from integrations.logs import configure_logging
from integrations.settings import KafkaSettings

_HINT = "start the stack with `fitmonitor up`, or set FITMONITOR_KAFKA__BOOTSTRAP_SERVERS to another Kafka"
_NO_TOPIC = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}  # noqa: SLF001 - the library's own names


@contextmanager
def stack_kafka() -> Iterator[KafkaSettings]:
    """The settings of the stack's Kafka. Errors of the client become `CommandError`.

    Raises:
        CommandError: no Kafka is configured, it is unavailable, or it lacks a topic.
    """
    settings = stack_settings()
    if not settings.kafka.bootstrap_servers:
        raise CommandError("no stack is running, and no Kafka is configured", _HINT)
    # The client's own log lines would come before the error.
    configure_logging(settings.model_copy(update={"log_level": "CRITICAL"}), warn_of_deprecated=False)
    servers = settings.kafka.bootstrap_servers
    try:
        yield settings.kafka
    except KafkaException as error:
        cause = error.args[0] if error.args else None
        if isinstance(cause, KafkaError) and cause.code() in _NO_TOPIC:
            hint = "`fitmonitor up` creates the topics; FITMONITOR_KAFKA__… sets other names"
            raise CommandError(f"Kafka at {servers} lacks a topic ({cause.str()})", hint) from error
        reason = cause.str() if isinstance(cause, KafkaError) else str(error)
        raise CommandError(f"Kafka at {servers} is unavailable ({reason})", _HINT) from error
