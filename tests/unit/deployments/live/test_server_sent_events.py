"""What goes over a stream, as clients take it apart."""

import asyncio

import pytest
from starlette.types import Message

from deployments.live.response import StreamResponse
from deployments.live.server_sent_events import BEAT, End, end_frame, retry_hint, snapshot_frame
from deployments.live.stream import Stream, View
from integrations.kafka.gym_events import GymChange, read_change
from tests.unit.deployments.live.hub_harness import parsed
from tests.virtual_time import run


def test_a_snapshot_is_one_event_with_a_growing_id() -> None:
    frame = snapshot_frame(17, b'{"occupancy":3}')
    assert frame == b'id: 17\nevent: snapshot\ndata: {"occupancy":3}\n\n'
    assert parsed(retry_hint(900) + frame).data == {"occupancy": 3}


@pytest.mark.parametrize("reason", list(End))
def test_an_end_names_its_reason(reason: End) -> None:
    event = parsed(end_frame(reason))
    assert (event.name, event.data, event.id) == ("end", {"reason": reason}, None)


def test_a_sign_of_life_is_a_comment() -> None:
    assert BEAT.startswith(b":")
    assert BEAT.endswith(b"\n\n")


def test_what_waits_gives_way_to_the_end_and_a_beat_to_nothing() -> None:
    async def story() -> None:
        stream = Stream(View.MEMBER, 0.0)
        stream.offer(b"one", 1.0)
        stream.beat(2.0)
        stream.offer(b"two", 3.0)
        assert await stream.take() == (b"two", True)
        stream.beat(4.0)
        assert await stream.take() == (BEAT, True)
        stream.offer(b"three", 5.0)
        stream.end(End.REVOKED)
        stream.end(End.CLOSING)
        stream.offer(b"four", 6.0)
        assert await stream.take() == (end_frame(End.REVOKED), False)

    run(story())


def test_a_client_that_takes_nothing_gets_the_newest_once_it_does() -> None:
    async def story() -> None:
        stream, takes, sent = Stream(View.MEMBER, 0.0), asyncio.Event(), []

        async def receive() -> Message:
            await asyncio.sleep(1000)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                sent.append(message["body"])
                await takes.wait()

        stream.offer(b"0;", 0.0)
        updates: list[None] = []
        response = StreamResponse(stream, lambda: None, lambda: updates.append(None))
        answering = asyncio.create_task(response({"type": "http"}, receive, send))
        for number in range(1, 100):
            await asyncio.sleep(1)
            stream.offer(b"%d;" % number, float(number))
        assert stream.taking_since == pytest.approx(0.0)
        takes.set()
        await asyncio.sleep(1)
        assert [one.split(b"\n")[-1] for one in sent] == [b"0;", b"99;"]
        assert sent[0].startswith(b"retry: ")
        assert len(updates) == 2
        await asyncio.wait_for(answering, 2000)

    run(story())


def test_an_event_of_any_type_names_its_gym_and_perhaps_when() -> None:
    gym = "01a21503-f31b-73e2-84bf-8c04f3bcb776"
    told = b'{"type":"%b","version":9,"gym_id":"' + gym.encode() + b'"%b}'
    scanned = read_change(told % (b"scan_decided", b',"decided_at":"2026-03-02T12:00:00Z"'))
    assert isinstance(scanned, GymChange)
    assert str(scanned.gym_id) == gym
    assert scanned.decided_at is not None
    assert read_change(told % (b"machine_used", b"")) == GymChange(scanned.gym_id, None)
