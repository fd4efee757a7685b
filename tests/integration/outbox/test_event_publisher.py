"""Publishing events to the mock broker and to Apache Kafka."""

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from cluster.local.kafka import KafkaServer
from domain.ids import new_id
from domain.outbox import WaitingEvent
from integrations.kafka.clients import Config
from integrations.kafka.event_publisher import EventPublisher
from integrations.settings import KafkaSettings, Settings
from tests.events import published, with_small_events
from tests.integration.kafka.echo_consumer import dead_letters
from tests.servers import fresh_topics

TOPIC = "gym-events"
GYMS = [str(new_id()) for _ in range(10)]


def events(count: int, size: int = 300, gyms: int = 10) -> list[WaitingEvent]:
    return [
        WaitingEvent(n, TOPIC, GYMS[n % gyms], f'{{"event_id":"{n}","filler":"{"x" * size}"}}') for n in range(count)
    ]


def wait_on() -> None:
    """Wait without a limit."""


def test_events_arrive_once_in_the_order_of_their_gym_with_the_gym_as_key(topics: KafkaSettings) -> None:
    publisher = EventPublisher(topics)
    for batch in (events(500), events(1), events(500)):
        assert publisher.publish(batch, wait_on) == {}
    arrived = published(topics)
    publisher.drop()
    for n, gym in enumerate(GYMS):
        of_gym = [message.id for message in arrived if message.key == gym]
        once = [str(number) for number in range(n, 500, 10)]
        assert of_gym == [*once, *(["0"] if n == 0 else []), *once]


def test_an_event_that_exceeds_the_client_limit_is_rejected_and_the_rest_is_delivered(topics: KafkaSettings) -> None:
    publisher = EventPublisher(topics)
    batch = events(4, gyms=4)
    batch[2] = batch[2]._replace(payload="x" * 1_500_000)
    failures = publisher.publish(batch, wait_on)
    assert {order[1]: failure.rejected for order, failure in failures.items()} == {GYMS[2]: True}
    publisher.write_dead_letter(batch[2], failures[batch[2].order].reason)
    publisher.drop()
    assert sorted(message.id for message in published(topics)) == ["0", "1", "3"]
    (letter,) = dead_letters(Settings(kafka=topics), 1)
    assert (letter.topic, letter.offset) == (topics.events_topic, 2)
    assert "too large" in letter.reason
    assert (letter.value or b"").startswith(b"xxx")


def test_an_event_that_exceeds_the_broker_limit_is_rejected(kafka: KafkaServer) -> None:
    topics = with_small_events(fresh_topics(kafka), 2_000)
    publisher = EventPublisher(topics)
    failures = publisher.publish(events(20, gyms=1, size=1000), wait_on)
    assert [failure.rejected for failure in failures.values()] == [True], "all came in one batch"
    for event in events(3, gyms=1):
        assert publisher.publish([event], wait_on) == {}
    (alone,) = events(1, gyms=1, size=5000)
    assert [failure.rejected for failure in publisher.publish([alone], wait_on).values()] == [True]
    publisher.drop()
    assert [message.id for message in published(topics)] == ["0", "1", "2"]


def test_the_callback_may_end_the_wait_and_nothing_is_sent_afterwards() -> None:
    class EnoughError(Exception):
        pass

    def enough() -> None:
        raise EnoughError

    publisher = EventPublisher(KafkaSettings(bootstrap_servers="127.0.0.1:1"))
    with pytest.raises(EnoughError):
        publisher.publish(events(3), enough)
    publisher.drop()
    publisher.drop()


@pytest.mark.parametrize("error", [KafkaException(KafkaError(KafkaError._FATAL)), SystemError("in a report")])  # noqa: SLF001 - the library's own name
def test_a_failed_producer_is_replaced_and_nothing_counts_as_delivered(error: Exception, topics: KafkaSettings) -> None:
    opened: list[Config] = []

    class BrokenProducer(Producer):
        def flush(self, _timeout: float = -1) -> int:
            raise error

    def open_producer(config: Config) -> Producer:
        opened.append(config)
        return (BrokenProducer if len(opened) == 1 else Producer)(config)

    publisher = EventPublisher(topics, open_producer)
    batch = events(20)
    failures = publisher.publish(batch, wait_on)
    assert failures.keys() == {event.order for event in batch}
    assert not any(failure.rejected for failure in failures.values())
    assert publisher.publish(batch, wait_on) == {}
    publisher.drop()
    assert len(opened) == 2
    assert all(config["enable.idempotence"] and config["acks"] == "all" for config in opened)
    assert {message.id for message in published(topics)} == {str(n) for n in range(20)}
