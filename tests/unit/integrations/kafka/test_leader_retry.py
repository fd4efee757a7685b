import pytest
from confluent_kafka import KafkaError, KafkaException

from integrations.kafka.leader_retry import retry_until_leader


class Broker:
    """Raises errors before it returns 7."""

    def __init__(self, *errors: int) -> None:
        self._errors = list(errors)
        self.calls = 0

    def call(self) -> int:
        self.calls += 1
        if self._errors:
            raise KafkaException(KafkaError(self._errors.pop(0)))
        return 7


def test_a_broker_without_a_leader_is_called_again() -> None:
    broker = Broker(KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.NOT_LEADER_FOR_PARTITION)
    assert retry_until_leader(broker.call) == 7
    assert broker.calls == 3


def test_a_broker_that_stays_without_a_leader_raises() -> None:
    broker = Broker(*[KafkaError.NOT_COORDINATOR] * 1000)
    with pytest.raises(KafkaException):
        retry_until_leader(broker.call, timeout_s=0.3)
    assert 1 < broker.calls < 10


@pytest.mark.parametrize("code", [KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED])
def test_another_error_is_raised_at_once(code: int) -> None:
    broker = Broker(code)
    with pytest.raises(KafkaException):
        retry_until_leader(broker.call)
    assert broker.calls == 1
