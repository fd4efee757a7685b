import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Consumer, Producer

from domain.ids import new_id
from integrations.kafka.clients import group_consumer_config
from integrations.kafka.command_producer import CommandProducer
from integrations.kafka.door_commands import DoorCommandClient, NoAnswerInTime
from integrations.kafka.messages import ReplyTo, decode_command
from integrations.settings import DoorSettings, KafkaSettings, Settings
from tests.integration.kafka.echo_consumer import EchoHandler, dead_letters, echo_loop, listening, patient, scan_command
from tests.waiting import eventually, wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_every_command_gets_its_own_reply(settings: Settings) -> None:
    settings = patient(settings)
    handler = EchoHandler()
    loop = echo_loop(settings, handler)
    gyms = [new_id() for _ in range(8)]
    async with listening(settings) as listener:
        client = DoorCommandClient(settings, listener)
        commands = [scan_command(listener.reply_to, gyms[n % 8], f"scan-{n}") for n in range(400)]
        replies = await asyncio.gather(*(client.send(c, c.scan.gym_id, c.scan.decide_by) for c in commands))
        assert [reply.command_id for reply in replies] == [command.command_id for command in commands]
        assert all(f'"{c.scan.scan_id}"'.encode() in bytes(r.body) for c, r in zip(commands, replies, strict=True))
        assert client.healthy
        client.close()
    assert await asyncio.to_thread(loop.stop, 30)
    assert sorted(handler.handled) == sorted(command.scan.scan_id for command in commands)
    assert loop.stats.messages == 400


async def test_commands_of_a_gym_are_handled_in_the_order_in_which_they_were_produced(settings: Settings) -> None:
    settings = patient(settings)
    handler = EchoHandler()
    producer = CommandProducer(settings)
    gym = new_id()
    commands = [(gym, scan_command(ReplyTo("nobody", 0), gym, f"{n:04}")) for n in range(500)]
    assert producer.produce(commands) == [True] * 500
    loop = echo_loop(settings, handler, batch_max=64)
    await eventually(lambda: len(handler.handled) == 500)
    producer.close()
    assert await asyncio.to_thread(loop.stop, 30)
    assert handler.handled == [f"{n:04}" for n in range(500)]
    assert loop.stats.mean_batch > 1


async def test_a_command_that_cannot_be_encoded_is_refused_and_no_other(settings: Settings) -> None:
    settings = patient(settings)
    handler = EchoHandler()
    producer = CommandProducer(settings)
    gym = new_id()
    names = ["before", "\ud800", "after"]
    produced = producer.produce([(gym, scan_command(ReplyTo("nobody", 0), gym, name)) for name in names])
    assert produced == [True, False, True]
    assert (producer.refused, producer.healthy) == (1, True)
    loop = echo_loop(settings, handler)
    await eventually(lambda: handler.handled == ["before", "after"])
    producer.close()
    assert await asyncio.to_thread(loop.stop, 30)


async def test_messages_that_a_stopped_consumer_finished_do_not_come_again(settings: Settings) -> None:
    settings = patient(settings)
    first, second = EchoHandler(), EchoHandler()
    producer = CommandProducer(settings)
    gym = new_id()
    loop = echo_loop(settings, first)
    producer.produce([(gym, scan_command(ReplyTo("nobody", 0), gym, "before"))])
    await eventually(lambda: first.handled == ["before"])
    assert await asyncio.to_thread(loop.stop, 30)
    producer.produce([(gym, scan_command(ReplyTo("nobody", 0), gym, "after"))])
    loop = echo_loop(settings, second)
    await eventually(lambda: bool(second.handled))
    producer.close()
    assert await asyncio.to_thread(loop.stop, 30)
    assert second.handled == ["after"]


async def test_poisoned_and_undecodable_messages_go_to_the_dead_letters_and_the_rest_is_answered(
    settings: Settings,
) -> None:
    settings = patient(settings)

    def choke(commands: object) -> None:
        if "poison" in str(commands):
            raise ValueError("poisoned")

    gym = new_id()
    producer = CommandProducer(settings)
    garbage = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers})
    garbage.produce(settings.kafka.commands_topic, b"garbage", key=b"whose")
    garbage.flush(10)
    async with listening(settings) as listener:
        client = DoorCommandClient(settings, listener, producer)
        names = ["a", "b", "poison", "c", "d"]
        commands = [scan_command(listener.reply_to, gym, name) for name in names]
        asking = [asyncio.create_task(client.send(c, gym, c.scan.decide_by)) for c in commands]
        await asyncio.sleep(0.2)
        loop = echo_loop(settings, EchoHandler(choke))
        replies = await asyncio.gather(*asking)
        assert [reply.kind for reply in replies] == ["check_payment"] * 2 + ["rejected"] + ["check_payment"] * 2
    letters = await asyncio.to_thread(dead_letters, settings, 2)
    producer.close()
    assert await asyncio.to_thread(loop.stop, 30)
    by_value = {letter.value: letter for letter in letters}
    assert by_value.keys() >= {b"garbage"}
    assert by_value[b"garbage"].reason.startswith("undecodable")
    poisoned = next(letter for value, letter in by_value.items() if value != b"garbage")
    assert decode_command(poisoned.value or b"") == commands[2]
    assert poisoned.reason == "ValueError: poisoned"
    assert poisoned.topic == settings.kafka.commands_topic


async def test_no_consumer_means_no_answer_in_time(settings: Settings) -> None:
    async with listening(settings) as listener:
        client = DoorCommandClient(settings, listener)
        command = scan_command(listener.reply_to, new_id(), seconds=0.2)
        with pytest.raises(NoAnswerInTime):
            await client.send(command, command.scan.gym_id, command.scan.decide_by)
        client.close()


async def test_a_command_that_is_not_delivered_before_its_deadline_is_counted() -> None:
    unavailable = Settings(kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1"), door=DoorSettings(deadline_s=0.2))
    producer = CommandProducer(unavailable)
    gym = new_id()
    assert producer.produce([(gym, scan_command(ReplyTo("nobody", 0), gym))]) == [True]
    await eventually(lambda: producer.failed_deliveries == 1)
    assert producer.healthy
    producer.close()


async def test_a_gym_keeps_its_partition_whoever_produces(settings: Settings) -> None:
    gyms = [new_id() for _ in range(12)]
    for _ in range(2):
        producer = CommandProducer(patient(settings))
        producer.produce([(gym, scan_command(ReplyTo("nobody", 0), gym)) for gym in gyms])
        producer.close()
    reader = Consumer(group_consumer_config(settings.kafka, f"{settings.kafka.door_group}-reader"))
    reader.subscribe([settings.kafka.commands_topic])
    found: dict[bytes, list[int | None]] = {}

    def read() -> bool:
        message = reader.poll(0.1)
        if message is not None and message.error() is None:
            found.setdefault(message.key() or b"", []).append(message.partition())
        return sum(map(len, found.values())) == 24

    await asyncio.to_thread(wait_until, read)
    reader.close()
    assert set(found) == {str(gym).encode() for gym in gyms}
    assert all(len(set(partitions)) == 1 for partitions in found.values())


async def test_a_deadline_that_has_passed_is_not_waited_for(settings: Settings) -> None:
    async with listening(settings) as listener:
        client = DoorCommandClient(settings, listener)
        command = scan_command(listener.reply_to, new_id())
        with pytest.raises(NoAnswerInTime):
            await client.send(command, command.scan.gym_id, datetime.now(UTC) - timedelta(seconds=5))
        client.close()
