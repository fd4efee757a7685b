import pytest
from confluent_kafka import KafkaError, KafkaException

from integrations.kafka.leader_retry import retry_until_leader


class Broker:
    """Answers with errors before it answers with 7."""

    def __init__(self, *errors: int) -> None:
        self._errors = list(errors)
        self.asked = 0

    def ask(self) -> int:
        self.asked += 1
        if self._errors:
            raise KafkaException(KafkaError(self._errors.pop(0)))
        return 7


def test_a_broker_that_does_not_lead_yet_is_asked_again() -> None:
    broker = Broker(KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.NOT_LEADER_FOR_PARTITION)
    assert retry_until_leader(broker.ask) == 7
    assert broker.asked == 3


def test_one_that_does_not_lead_for_long_is_given_up() -> None:
    broker = Broker(*[KafkaError.NOT_COORDINATOR] * 1000)
    with pytest.raises(KafkaException):
        retry_until_leader(broker.ask, timeout_s=0.3)
    assert 1 < broker.asked < 10


@pytest.mark.parametrize("code", [KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED])
def test_another_error_is_raised_at_once(code: int) -> None:
    broker = Broker(code)
    with pytest.raises(KafkaException):
        retry_until_leader(broker.ask)
    assert broker.asked == 1
