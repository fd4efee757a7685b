"""Messages that nobody of ours writes, among those that are, on every topic."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from confluent_kafka import KafkaError, Message, Producer
from sqlalchemy import select, text

from domain.door.model import (
    AnnulAnswer,
    AnnulRequest,
    Direction,
    DoorResult,
    Outcome,
    Problem,
    Reason,
    Rejected,
    ScanAnswer,
    ScanRequest,
)
from domain.door.tables import scans
from domain.ids import new_id
from integrations.kafka.dead_letter_reader import DeadLetterReader, StoredLetter, read_original
from integrations.kafka.group_lag import group_lag
from integrations.kafka.messages import DoorReply, ReplyTo, ScanCommand, encode
from integrations.settings import Settings
from tests.faults.conftest import StartConsumer
from tests.faults.door_client import Door, door, patient
from tests.faults.invariants import assert_invariants
from tests.faults.malformed_messages import Odd, as_odd, no_replies, undecidable, undecodable
from tests.integration.kafka.raw_topics import Command
from tests.waiting import eventually
from tests.world import World

pytestmark = [pytest.mark.check, pytest.mark.anyio, pytest.mark.timeout(280)]

YEARS = 3650
_PATIENCE_S = 60

Place = tuple[str, int, int]


def put(settings: Settings, topic: str, key: bytes, messages: Iterable[Odd]) -> dict[Place, Odd]:
    """Write messages in their order, by one producer; where each of them lies."""
    places: dict[Place, Odd] = {}

    def written(odd: Odd, message: Message) -> None:
        partition, offset = message.partition(), message.offset()
        assert message.error() is None, (odd.name, message.error())
        assert partition is not None
        assert offset is not None
        places[topic, partition, offset] = odd

    config = {"bootstrap.servers": settings.kafka.bootstrap_servers, "partitioner": "murmur2_random"}
    producer = Producer(config | {"enable.idempotence": True})
    for odd in messages:

        def report(_error: KafkaError | None, message: Message, odd: Odd = odd) -> None:
            written(odd, message)

        own = odd.key if odd.key is not None else key
        partition = -1 if odd.partition is None else odd.partition
        producer.produce(
            topic, odd.value, None if odd.keyless else own, partition, on_delivery=report, headers=odd.headers
        )
    assert producer.flush(30) == 0
    return places


def letters(settings: Settings) -> list[StoredLetter]:
    with DeadLetterReader(settings.kafka) as reader:
        return [entry for entry in reader.entries() if isinstance(entry, StoredLetter)]


def assert_each_lies_with_the_dead_once(settings: Settings, places: dict[Place, Odd]) -> None:
    """Whole, under its own place and key, with a reason."""
    found = {}
    for stored in letters(settings):
        letter = stored.letter
        assert letter is not None
        assert letter.reason
        place = (letter.topic, letter.partition, letter.offset)
        assert place not in found, f"{places[place].name} twice"
        if letter.whole:
            found[place] = (stored.key, letter.value)
        else:
            message = read_original(settings.kafka, letter)
            found[place] = (message.key(), message.value())
    assert {places[place].name for place in places.keys() - found.keys()} == set(), "not among the dead letters"
    assert found.keys() == places.keys()
    assert {odd.name for place, odd in places.items() if found[place][1] != odd.value} == set(), "changed"


def answer_of(reply: DoorReply) -> ScanAnswer:
    assert reply.kind == "scan_answer", bytes(reply.body)
    return msgspec.json.decode(reply.body, type=ScanAnswer)


def outcome(result: DoorResult) -> tuple[Outcome, Reason | None, bool]:
    assert isinstance(result, ScanAnswer), result
    return result.outcome, result.reason, result.replayed


def sure(world: World, gym: UUID, number: int, reply_to: ReplyTo) -> list[ScanCommand]:
    """Scans of so many members, each of which lets somebody in."""
    return [
        ScanCommand(new_id(), reply_to, patient(world.scan(gym, world.code(member), Direction.ENTER)))
        for member in world.members(number, days=YEARS)
    ]


def mixed(good: Sequence[ScanCommand], odd: Sequence[Odd]) -> list[Odd]:
    """The odd ones spread among the good ones."""
    every = -(-len(odd) // len(good))
    out: list[Odd] = []
    for number, command in enumerate(good):
        out += [as_odd(command), *odd[number * every : (number + 1) * every]]
    return out


async def replies_to(the_door: Door, commands: Sequence[ScanCommand]) -> list[ScanAnswer]:
    futures = [the_door.listener.expect(command.command_id) for command in commands]
    async with asyncio.timeout(_PATIENCE_S):
        answers = [answer_of(reply) for reply in await asyncio.gather(*futures)]
    for command, answer in zip(commands, answers, strict=True):
        the_door.given[command.scan.scan_id, command.scan.asked_by].append(answer)
    return answers


def decided(world: World, gym: UUID) -> list[str]:
    """The scan ids of a gym in the order of their decisions."""
    with world.store.reading() as connection:
        return list(
            connection.execute(select(scans.c.scan_id).where(scans.c.gym_id == gym).order_by(scans.c.id)).scalars()
        )


async def test_good_commands_are_decided_in_their_order_among_those_that_are_none(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym = world.gym()
    async with door(settings) as the_door:
        commands = sure(world, gym, 20, the_door.listener.reply_to)
        never = sure(world, gym, 1, the_door.listener.reply_to)[0]
        odd = undecodable(encode(never))
        heard = asyncio.create_task(replies_to(the_door, commands))
        await asyncio.sleep(0)
        topic, key = settings.kafka.commands_topic, str(gym).encode()
        places = await asyncio.to_thread(put, settings, topic, key, mixed(commands, odd))
        consumer = start_consumer()
        answers = await heard
        assert await the_door.ask(patient(world.scan(gym, world.code(world.member(YEARS)), Direction.ENTER)))
        await eventually(lambda: len(letters(settings)) >= len(odd))
        assert consumer.is_running
    assert Counter(answer.outcome for answer in answers) == {Outcome.ENTERED: 20}
    assert decided(world, gym)[:20] == [command.scan.scan_id for command in commands]
    assert len(decided(world, gym)) == 21
    good = {encode(command) for command in commands}
    assert_each_lies_with_the_dead_once(
        settings, {place: one for place, one in places.items() if one.value not in good}
    )
    assert_invariants(world.store, the_door.given)


async def test_commands_that_the_store_refuses_to_keep_leave_nothing_and_get_a_refusal(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym = world.gym()
    async with door(settings) as the_door:
        start_consumer()
        inside = patient(world.scan(gym, world.code(world.member(YEARS)), Direction.ENTER))
        await the_door.ask(inside)
        scan = patient(world.scan(gym, world.code(world.member(YEARS)), Direction.ENTER))
        bad = undecidable(scan, world.annulment(gym, inside.scan_id), the_door.listener.reply_to)
        commands = sure(world, gym, len(bad), the_door.listener.reply_to)
        told = [the_door.listener.expect(command.command_id) for command in bad]
        heard = asyncio.create_task(replies_to(the_door, commands))
        await asyncio.sleep(0)
        topic, key = settings.kafka.commands_topic, str(gym).encode()
        places = await asyncio.to_thread(put, settings, topic, key, mixed(commands, [as_odd(one) for one in bad]))
        answers = await heard
        async with asyncio.timeout(_PATIENCE_S):
            rejected = [msgspec.json.decode(reply.body, type=Rejected) for reply in await asyncio.gather(*told)]
    assert {answer.outcome for answer in answers} == {Outcome.ENTERED}
    assert [one.problem for one in rejected] == [Problem.NOT_DECIDED] * len(bad)
    assert decided(world, gym) == [inside.scan_id, *(command.scan.scan_id for command in commands)]
    values = {encode(one) for one in bad}
    assert_each_lies_with_the_dead_once(settings, {place: one for place, one in places.items() if one.value in values})
    assert scan.reading.member_id not in world.inside(gym)
    assert_invariants(world.store, the_door.given)


async def test_a_batch_of_the_largest_commands_does_not_count_as_an_unavailable_database(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym = world.gym()
    async with door(settings) as the_door:
        scan = patient(world.scan(gym, world.code(world.member(YEARS)), Direction.ENTER))
        large = [
            as_odd(ScanCommand(new_id(), the_door.listener.reply_to, replace(scan, scan_id=f"{n:05}" * size)))
            # While the first are tried one by one, more of the others are fetched than one statement may hold.
            for size, number in ((3_000, 60), (190_000, 40))
            for n in range(number)
        ]
        (last,) = sure(world, gym, 1, the_door.listener.reply_to)
        heard = asyncio.create_task(replies_to(the_door, [last]))
        await asyncio.sleep(0)
        topic, key = settings.kafka.commands_topic, str(gym).encode()
        places = await asyncio.to_thread(put, settings, topic, key, [*large, as_odd(last)])
        start_consumer()
        (answer,) = await heard
    assert answer.outcome is Outcome.ENTERED
    dead = {place: one for place, one in places.items() if one.value != encode(last)}
    assert len(dead) == 100
    assert_each_lies_with_the_dead_once(settings, dead)
    assert_invariants(world.store, the_door.given)


async def test_good_commands_on_unusual_ways_are_decided_as_any(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym, other = world.gym(capacity=9), world.gym()
    async with door(settings) as the_door:
        start_consumer()
        start_consumer()
        commands = sure(world, gym, 12, the_door.listener.reply_to)
        values = [encode(command) for command in commands]
        ways = [
            Odd("without a key", values[0], keyless=True),
            Odd("with a key of another gym", values[1], key=str(other).encode()),
            Odd("with an empty key", values[2], key=b""),
            *(Odd(f"on partition {n}", values[3 + n], partition=n) for n in range(6)),
            Odd("with headers", values[9], headers=[("traceparent", b"00-x"), ("", b"\xff"), ("", b"")]),
            Odd("with what a later version knows", values[10][:-1] + b',"colour":{"of":["the",7.5e3]}}'),
            Odd("with spaces", msgspec.json.format(values[11], indent=4)),
        ]
        heard = asyncio.create_task(replies_to(the_door, commands))
        await asyncio.sleep(0)
        await asyncio.to_thread(put, settings, settings.kafka.commands_topic, str(gym).encode(), ways)
        answers = await heard
    # Nine places, and commands of one gym in several hands at once.
    assert Counter((answer.outcome, answer.reason) for answer in answers) == {
        (Outcome.ENTERED, None): 9,
        (Outcome.REFUSED, Reason.GYM_FULL): 3,
    }
    assert letters(settings) == []
    assert_invariants(world.store, the_door.given)


async def test_a_command_whose_asker_cannot_be_reached_is_decided_and_nobody_else_waits(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym = world.gym()
    async with door(settings) as the_door:
        consumer = start_consumer()
        nowhere = [
            ReplyTo("gateway-1", settings.kafka.replies_partitions),
            ReplyTo("gateway-1", 2**31 - 1),
            ReplyTo("nobody", 0),
            ReplyTo("", 0),
            ReplyTo("a\0b", 0),
            ReplyTo("r" * 15_000, 0),
        ]
        lost = [sure(world, gym, 1, reply_to)[0] for reply_to in nowhere]
        commands = sure(world, gym, 6, the_door.listener.reply_to)
        heard = asyncio.create_task(replies_to(the_door, commands))
        await asyncio.sleep(0)
        topic, key = settings.kafka.commands_topic, str(gym).encode()
        await asyncio.to_thread(put, settings, topic, key, mixed(commands, [as_odd(one) for one in lost]))
        assert {answer.outcome for answer in await heard} == {Outcome.ENTERED}
        await eventually(lambda: len(decided(world, gym)) == 12)
        # Whoever asks again by the same scan id is told what was decided.
        again = [await the_door.ask(one.scan) for one in lost]
        assert consumer.is_running
    assert [isinstance(one, ScanAnswer) and (one.outcome, one.replayed) for one in again] == [
        (Outcome.ENTERED, True)
    ] * 6
    assert letters(settings) == []
    assert_invariants(world.store, the_door.given)


async def test_a_message_that_is_no_reply_is_ignored(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym = world.gym()
    async with door(settings) as the_door:
        start_consumer()
        mine = the_door.listener.reply_to
        odd = [replace(one, partition=mine.partition) for one in no_replies(mine.replica)]
        for one in odd:
            await asyncio.to_thread(put, settings, settings.kafka.replies_topic, b"", [one])
            answer = await the_door.ask(patient(world.scan(gym, world.code(world.member(YEARS)), Direction.ENTER)))
            assert isinstance(answer, ScanAnswer), one.name
            assert the_door.listener.healthy, one.name
        # The one that nobody awaits; on a slow machine also those to a door that has asked again meanwhile.
        assert the_door.listener.late_replies >= 1
    assert_invariants(world.store, the_door.given)


async def test_dead_letters_are_found_and_replayed_once_their_cause_is_fixed(
    settings: Settings, world: World, start_consumer: StartConsumer, tmp_path: Path
) -> None:
    gym = world.gym()
    command = Command(settings, tmp_path)
    stays, late, retried = world.members(3, days=YEARS)
    world.clock.now = datetime.now(UTC)
    kept = patient(world.scan(gym, world.code(stays), Direction.ENTER))
    in_time = world.scan(gym, world.code(late), Direction.ENTER, scan_id="poison-1", deadline_s=3)
    asked_again = patient(world.scan(gym, world.code(retried), Direction.ENTER, scan_id="poison-2"))
    async with door(settings) as the_door:
        start_consumer()
        assert isinstance(await the_door.ask(kept), ScanAnswer)
        _break_the_store(world)
        questions: list[ScanRequest | AnnulRequest] = [in_time, asked_again, world.annulment(gym, kept.scan_id)]
        for question in questions:
            assert isinstance(await the_door.ask(question), Rejected)
        places = await asyncio.to_thread(
            put, settings, settings.kafka.commands_topic, str(gym).encode(), [Odd("garbage", b"\x00garbage")]
        )
        await eventually(lambda: len(letters(settings)) == 4)

        listed = command.says("dead-letters", "--reason", "broken for a moment")
        assert [(letter["topic"], letter["key"]) for letter in listed] == [
            (settings.kafka.commands_topic, str(gym))
        ] * 3
        shown = [command.says("dead-letters", "show", letter["id"])["value"] for letter in reversed(listed)]
        assert [(one["type"], one[one["type"]]["scan_id"]) for one in shown] == [
            ("scan", "poison-1"),
            ("scan", "poison-2"),
            ("annul", kept.scan_id),
        ]

        _repair_the_store(world)
        assert outcome(await the_door.ask(asked_again)) == (Outcome.ENTERED, None, False)
        await eventually(lambda: datetime.now(UTC) > in_time.decide_by)
        assert stays in world.inside(gym)
        sent = command.says("replay", "--all", "--reason", "broken for a moment", "--yes")
        assert sorted(sent["sent"]) == sorted(letter["id"] for letter in listed)
        await eventually(lambda: stays not in world.inside(gym))
        await eventually(lambda: "poison-1" in decided(world, gym))
        # The door that gave up long ago and asks once more is told the refusal, and nobody was let in by it.
        assert outcome(await the_door.ask(patient(in_time))) == (Outcome.REFUSED, Reason.TOO_LATE, True)
        assert isinstance(await the_door.ask(world.annulment(gym, kept.scan_id)), AnnulAnswer)
        assert world.inside(gym) == [retried]
        assert the_door.listener.late_replies >= 3

        kafka = settings.kafka
        await eventually(lambda: group_lag(kafka, kafka.door_group, kafka.commands_topic).lag == 0)
        await asyncio.to_thread(
            put, settings, kafka.events_topic, b"gym", [Odd("an event", b"{}")]
        )  # creates the topic
        group, payments, archive = command.says("lag")
        assert (group["lag"], archive["lag"]) == (0, 1)
        assert payments["lag"] == 0
        assert (group["state"], group["members"]) == ("stable", 1)
        assert all(partition["member"] for partition in group["partitions"])
    (waiting,) = (letter for letter in command.says("dead-letters") if letter["replayed_at"] is None)
    assert (waiting["topic"], waiting["partition"], waiting["offset"]) in places
    # Garbage that is sent again is garbage: it comes back as another letter.
    assert command.says("replay", "--all", "--yes")["sent"] == [waiting["id"]]
    await eventually(lambda: len(letters(settings)) == 5)
    (back,) = (letter for letter in command.says("dead-letters") if letter["replayed_at"] is None)
    assert back["offset"] > waiting["offset"]
    assert_invariants(world.store, the_door.given)


_SIGNAL = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'broken for a moment'"


def _break_the_store(world: World) -> None:
    """The store refuses scans of certain ids, and every annulment."""
    with world.store.writing() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER refuses_scans BEFORE INSERT ON scans FOR EACH ROW "
                f"IF NEW.scan_id LIKE 'poison%' THEN {_SIGNAL}; END IF"
            )
        )
        connection.execute(text(f"CREATE TRIGGER refuses_annulments BEFORE UPDATE ON scans FOR EACH ROW {_SIGNAL}"))


def _repair_the_store(world: World) -> None:
    with world.store.writing() as connection:
        connection.execute(text("DROP TRIGGER refuses_scans"))
        connection.execute(text("DROP TRIGGER refuses_annulments"))
