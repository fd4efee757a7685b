import asyncio
from uuid import UUID
from zlib import crc32

import pytest
from confluent_kafka import Producer

from domain.door.model import Problem, Rejected
from domain.ids import new_id
from integrations.kafka.messages import reply
from integrations.kafka.replies import RepliesNotReadyError, ReplyListener
from integrations.kafka.reply_sender import ReplySender
from integrations.settings import KafkaSettings, Settings
from tests.integration.kafka.echo_consumer import listening
from tests.waiting import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def answer(command_id: UUID) -> Rejected:
    return Rejected(Problem.UNKNOWN_GYM, str(command_id))


def send(sender: ReplySender, listener: ReplyListener, *command_ids: UUID) -> None:
    sender.send(listener.reply_to, [reply(command_id, answer(command_id)) for command_id in command_ids])


async def test_every_reply_resolves_the_future_of_its_command(settings: Settings) -> None:
    sender = ReplySender(settings)
    async with listening(settings) as listener:
        ids = [new_id() for _ in range(300)]
        futures = [listener.expect(command_id) for command_id in ids]
        send(sender, listener, *ids[:100])
        send(sender, listener, *ids[100:])
        replies = await asyncio.wait_for(asyncio.gather(*futures), 30)
        assert [one.command_id for one in replies] == ids
        assert listener.late_replies == 0


async def test_a_reply_sent_the_moment_the_listener_is_ready_is_received(settings: Settings) -> None:
    sender = ReplySender(settings)
    for attempt in range(5):
        listener = ReplyListener(settings.kafka, f"gateway-{attempt}", asyncio.get_running_loop())
        listener.start()
        while not listener.ready:  # noqa: ASYNC110 - the very moment is the point
            await asyncio.sleep(0)
        command_id = new_id()
        future = listener.expect(command_id)
        send(sender, listener, command_id)
        assert (await asyncio.wait_for(future, 30)).command_id == command_id
        await asyncio.to_thread(listener.close)


async def test_a_late_reply_is_counted(settings: Settings) -> None:
    sender = ReplySender(settings)
    async with listening(settings) as listener:
        given_up, waited_for = new_id(), new_id()
        listener.expect(given_up)
        listener.forget(given_up)
        future = listener.expect(waited_for)
        send(sender, listener, given_up, waited_for)
        await asyncio.wait_for(future, 30)
        send(sender, listener, waited_for)
        await eventually(lambda: listener.late_replies == 2)


async def test_replies_to_another_replica_on_the_same_partition_are_ignored(settings: Settings) -> None:
    sender = ReplySender(settings)
    async with listening(settings, "gateway-1") as first:
        count = len(
            Producer({"bootstrap.servers": settings.kafka.bootstrap_servers})
            .list_topics(settings.kafka.replies_topic, timeout=10)
            .topics[settings.kafka.replies_topic]
            .partitions
        )
        neighbour = next(
            name for n in range(1000) if crc32((name := f"other-{n}").encode()) % count == first.reply_to.partition
        )
        async with listening(settings, neighbour) as second:
            assert second.reply_to.partition == first.reply_to.partition
            command_id = new_id()
            future, foreign = first.expect(command_id), second.expect(command_id)
            send(sender, first, command_id)
            await asyncio.wait_for(future, 30)
            last = new_id()
            marker = second.expect(last)
            send(sender, second, last)
            await asyncio.wait_for(marker, 30)
            assert not foreign.done()
            assert second.late_replies == 0


async def test_an_undecodable_message_on_the_topic_is_ignored(settings: Settings) -> None:
    sender = ReplySender(settings)
    async with listening(settings) as listener:
        garbage = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers})
        garbage.produce(settings.kafka.replies_topic, b"garbage", partition=listener.reply_to.partition)
        garbage.flush(10)
        command_id = new_id()
        future = listener.expect(command_id)
        send(sender, listener, command_id)
        await asyncio.wait_for(future, 30)
        assert listener.healthy


async def test_a_reply_to_a_partition_that_does_not_exist_is_lost_and_counted(settings: Settings) -> None:
    sender = ReplySender(settings)
    async with listening(settings) as listener:
        nowhere = type(listener.reply_to)("gateway-1", 4096)
        sender.send(nowhere, [reply(new_id(), answer(new_id()))])

        def counted() -> bool:
            sender.serve_reports()
            return sender.lost == 1

        await eventually(counted)


async def test_without_kafka_a_listener_is_alive_but_not_ready() -> None:
    listener = ReplyListener(KafkaSettings(bootstrap_servers="127.0.0.1:1"), "gateway-1", asyncio.get_running_loop())
    listener.start()
    await asyncio.sleep(0.3)
    assert not listener.ready
    assert listener.healthy
    with pytest.raises(RepliesNotReadyError):
        _ = listener.reply_to
    await asyncio.to_thread(listener.close)
    assert not listener.healthy
