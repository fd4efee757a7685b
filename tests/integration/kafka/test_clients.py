import time

from cluster.local.kafka import KafkaServer
from domain.ids import new_id
from integrations.kafka.clients import FETCH_WAIT_MS, fetch_wait_ms
from integrations.kafka.command_producer import CommandProducer
from integrations.kafka.messages import ReplyTo
from integrations.settings import KafkaSettings, Settings
from tests.integration.kafka.echo_consumer import EchoHandler, echo_loop, patient, scan_command
from tests.waiting import wait_until


def test_fetch_requests_wait_long_at_a_real_broker_and_short_at_the_mock_broker(
    kafka: KafkaServer, mock_kafka: str
) -> None:
    assert fetch_wait_ms(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)) == FETCH_WAIT_MS
    assert fetch_wait_ms(KafkaSettings(bootstrap_servers=mock_kafka)) < FETCH_WAIT_MS / 10


def test_unread_messages_are_reported_as_lag(settings: Settings) -> None:
    gym = new_id()
    handler = EchoHandler(lambda _commands: time.sleep(1.1))
    producer = CommandProducer(patient(settings))
    producer.produce([(gym, scan_command(ReplyTo("nobody", 0), gym)) for _ in range(40)])
    producer.close()
    loop = echo_loop(settings, handler, batch_max=10)
    seen: set[int] = set()

    def done() -> bool:
        seen.add(loop.lag)
        return len(handler.handled) == 40 and loop.lag == 0

    wait_until(done)
    assert loop.stop(30)
    assert seen == {0, 10, 20, 30}
