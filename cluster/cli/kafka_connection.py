"""The stack's Kafka, asked by one command."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from cluster.errors import CommandError
from cluster.settings_file import stack_settings
from integrations.logs import configure_logging
from integrations.settings import KafkaSettings

_MEND = "start the stack with `fitmonitor up`, or name another Kafka in FITMONITOR_KAFKA__BOOTSTRAP_SERVERS"
_NO_TOPIC = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}  # noqa: SLF001 - the library's own names


@contextmanager
def kafka_of_the_stack() -> Iterator[KafkaSettings]:
    """Where the stack's Kafka is; what the client has to say of it becomes one line.

    Raises:
        CommandError: none is named, or it cannot be asked.
    """
    settings = stack_settings()
    if not settings.kafka.bootstrap_servers:
        raise CommandError("no stack is up, and no Kafka is named", _MEND)
    # The client's own lines would come before the one that counts.
    configure_logging(settings.model_copy(update={"log_level": "CRITICAL"}))
    try:
        yield settings.kafka
    except KafkaException as error:
        cause = error.args[0] if error.args else None
        if isinstance(cause, KafkaError) and cause.code() in _NO_TOPIC:
            mend = "`fitmonitor up` makes the topics; FITMONITOR_KAFKA__… names others"
            raise CommandError(
                f"Kafka at {settings.kafka.bootstrap_servers} lacks a topic ({cause.str()})", mend
            ) from error
        why = cause.str() if isinstance(cause, KafkaError) else str(error)
        raise CommandError(f"Kafka at {settings.kafka.bootstrap_servers} cannot be asked ({why})", _MEND) from error
