"""When a watched gym is read, and what its streams are given."""

import asyncio

import pytest

from deployments.http.problems import ApiProblem
from deployments.live.hub import BEAT_AFTER_S, STUCK_AFTER_S
from deployments.live.server_sent_events import BEAT
from deployments.live.stream import View
from domain.ids import new_id
from integrations.kafka.gym_events import GymChange
from integrations.metrics import LIVE_DELAY_SECONDS, LIVE_READS
from tests.unit.deployments.live.hub_harness import HubHarness, taken
from tests.virtual_time import run
from tests.world import START

GYM = new_id()


def test_nothing_is_read_while_nobody_watches() -> None:
    async def story() -> None:
        harness = HubHarness()
        harness.hub.heard([GymChange(GYM, None)])
        await asyncio.sleep(100)
        assert harness.gym.asked_at == []
        stream = await harness.hub.open(GYM, View.MEMBER)
        assert (harness.hub.watched(), harness.counts.streams) == (1, 1)
        harness.hub.leave(GYM, stream)
        read = len(harness.gym.asked_at)
        harness.hub.heard([GymChange(GYM, None)])
        await asyncio.sleep(100)
        assert len(harness.gym.asked_at) == read == 1
        assert (harness.hub.watched(), harness.counts.streams) == (0, 0)

    run(story())


def test_changes_are_merged_into_four_readings_a_second_and_the_last_one_is_seen() -> None:
    async def story() -> None:
        harness = HubHarness()
        stream = await harness.hub.open(GYM, View.MEMBER)
        await taken(stream)
        for number in range(1, 501):
            harness.gym.occupancy = number
            harness.hub.heard([GymChange(GYM, None)])
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        assert (await taken(stream)).data["occupancy"] == 500
        gaps = [after - before for before, after in zip(harness.gym.asked_at, harness.gym.asked_at[1:], strict=False)]
        assert min(gaps) >= 0.25 - 1e-9
        assert len(harness.gym.asked_at) >= 18, "the gym was read all the while"
        await harness.hub.close()

    run(story())


def test_a_single_change_is_read_at_once_and_its_delay_counted() -> None:
    async def story() -> None:
        harness = HubHarness()
        stream = await harness.hub.open(GYM, View.MEMBER)
        await taken(stream)
        await asyncio.sleep(10)
        harness.gym.takes_s = 0.02
        harness.hub.heard([GymChange(GYM, harness.now()), GymChange(new_id(), START)])
        await taken(stream)
        assert asyncio.get_running_loop().time() == pytest.approx(10.02)
        series, total = harness.tally.histogram(LIVE_DELAY_SECONDS).snapshot()
        assert series["+Inf",] == 1
        assert total == pytest.approx(0.02)
        await harness.hub.close()

    run(story())


def test_a_newer_snapshot_takes_the_place_of_one_that_was_not_taken() -> None:
    async def story() -> None:
        harness = HubHarness()
        slow, quick = [await harness.hub.open(GYM, View.MEMBER) for _ in range(2)]
        versions = []
        for number in range(5):
            harness.gym.occupancy = number
            harness.hub.heard([GymChange(GYM, None)])
            await asyncio.sleep(1)
            versions.append((await taken(quick)).id or 0)
        assert versions == sorted(set(versions))
        event = await taken(slow)
        assert (event.data["occupancy"], event.id) == (4, versions[-1])
        assert len(harness.gym.asked_at) == 6, "both streams were served by the same readings"
        await harness.hub.close()

    run(story())


def test_many_who_open_at_once_share_one_reading() -> None:
    async def story() -> None:
        harness = HubHarness()
        harness.gym.takes_s = 0.1
        streams = await asyncio.gather(*(harness.hub.open(GYM, View.MEMBER) for _ in range(50)))
        assert len({(await taken(stream)).id for stream in streams}) == 1
        late = await harness.hub.open(GYM, View.MEMBER)
        assert (await taken(late)).data["occupancy"] == 0
        assert len(harness.gym.asked_at) == 1
        await harness.hub.close()

    run(story())


def test_names_are_read_for_staff_alone_and_members_never_see_them() -> None:
    async def story() -> None:
        harness = HubHarness()
        member = await harness.hub.open(GYM, View.MEMBER)
        assert harness.gym.asked_names == [False]
        staff = await harness.hub.open(GYM, View.STAFF)
        assert harness.gym.asked_names == [False, True]
        shown = (await taken(staff)).data
        assert [one["name"] for one in shown["inside"]] == ["Mia Example"]
        assert shown["inside_count"] == 0
        assert shown["service"]["scans"] == 0
        assert set(shown["inside"][0]) == {"visit_id", "member_id", "name", "since", "gate_name"}
        seen = (await taken(member)).data
        common = {"gym_id", "occupancy", "capacity", "as_of", "trend", "free_machines", "degraded"}
        assert set(seen) == common
        assert set(shown) == common | {"inside", "inside_count", "service"}
        harness.hub.leave(GYM, staff)
        harness.hub.heard([GymChange(GYM, None)])
        await asyncio.sleep(1)
        assert harness.gym.asked_names[-1] is False
        await harness.hub.close()

    run(story())


def test_how_the_doors_are_served_is_read_more_seldom() -> None:
    async def story() -> None:
        harness = HubHarness()
        await harness.hub.open(GYM, View.STAFF)
        for _ in range(20):
            harness.hub.heard([GymChange(GYM, None)])
            await asyncio.sleep(1)
        assert harness.gym.levels == 2
        assert len(harness.gym.asked_at) == 21
        await harness.hub.close()

    run(story())


def test_without_kafka_gyms_are_read_every_few_seconds_and_it_is_said() -> None:
    async def story() -> None:
        harness = HubHarness()
        stream = await harness.hub.open(GYM, View.MEMBER)
        assert (await taken(stream)).data["degraded"] is False
        harness.events.following = False
        harness.hub.turned()
        assert (await taken(stream)).data["degraded"] is True
        before = len(harness.gym.asked_at)
        await asyncio.sleep(30)
        assert 9 <= len(harness.gym.asked_at) - before <= 10
        harness.events.following = True
        harness.hub.turned()
        await asyncio.sleep(1)
        assert (await taken(stream)).data["degraded"] is False
        await harness.hub.close()

    run(story())


def test_while_the_gym_cannot_be_read_its_streams_stay_and_say_so_once() -> None:
    async def story() -> None:
        harness = HubHarness()
        harness.gym.occupancy = 7
        stream = await harness.hub.open(GYM, View.MEMBER)
        calm = await taken(stream)
        harness.gym.away = True
        harness.hub.heard([GymChange(GYM, None)])
        event = await taken(stream)
        assert event.data == calm.data | {"degraded": True}, "what was known, as old as it is"
        await asyncio.sleep(10)
        assert harness.tally.counter(LIVE_READS).snapshot()["failed",] == 4
        late = await harness.hub.open(GYM, View.MEMBER)
        assert (await taken(late)).data == event.data
        harness.gym.away = False
        assert (await taken(stream)).data["degraded"] is False
        await harness.hub.close()

    run(story())


def test_a_failed_open_is_reported_and_leaves_nothing_behind() -> None:
    async def story() -> None:
        harness = HubHarness()
        for change, code in (("away", "unavailable"), ("unknown", "unknown_gym")):
            setattr(harness.gym, change, True)
            found = await asyncio.gather(
                *(harness.hub.open(GYM, View.MEMBER) for _ in range(3)), return_exceptions=True
            )
            setattr(harness.gym, change, False)
            assert [error.code for error in found if isinstance(error, ApiProblem)] == [code] * 3
            assert harness.hub.watched() == 0

    run(story())


def test_the_streams_of_a_gym_that_is_retired_end() -> None:
    async def story() -> None:
        harness = HubHarness()
        stream = await harness.hub.open(GYM, View.MEMBER)
        harness.gym.unknown = True
        harness.hub.heard([GymChange(GYM, None)])
        await asyncio.sleep(1)
        event = await taken(stream)
        assert (event.name, event.data) == ("end", {"reason": "gone"})
        await harness.hub.close()

    run(story())


def test_staff_go_on_watching_a_retired_gym_and_members_do_not() -> None:
    async def story() -> None:
        harness = HubHarness()
        member, staff = [await harness.hub.open(GYM, view) for view in (View.MEMBER, View.STAFF)]
        harness.gym.retired, harness.gym.occupancy = True, 3
        harness.hub.heard([GymChange(GYM, None)])
        await asyncio.sleep(1)
        event = await taken(member)
        assert (event.name, event.data) == ("end", {"reason": "gone"})
        harness.hub.leave(GYM, member)
        assert (await taken(staff)).data["occupancy"] == 3
        with pytest.raises(ApiProblem) as late:
            await harness.hub.open(GYM, View.MEMBER)
        assert late.value.code == "unknown_gym"
        assert (await taken(await harness.hub.open(GYM, View.STAFF))).data["occupancy"] == 3
        harness.gym.away = True
        harness.hub.heard([GymChange(GYM, None)])
        await asyncio.sleep(1)
        assert (await taken(staff)).data["degraded"]
        await harness.hub.close()

    run(story())


def test_a_quiet_stream_is_given_a_sign_of_life_and_a_stuck_one_is_dropped() -> None:
    async def story() -> None:
        harness = HubHarness()
        harness.hub.start()
        stream = await harness.hub.open(GYM, View.MEMBER)
        await taken(stream)
        assert await stream.take() == (BEAT, True)
        assert BEAT_AFTER_S <= asyncio.get_running_loop().time() <= BEAT_AFTER_S + 1
        stuck = asyncio.create_task(asyncio.sleep(1000))
        stream.sent_by(stuck)
        stream.taking_since = asyncio.get_running_loop().time()
        with pytest.raises(asyncio.CancelledError):
            await stuck
        assert asyncio.get_running_loop().time() <= BEAT_AFTER_S + STUCK_AFTER_S + 2
        await harness.hub.close()

    run(story())


def test_who_closes_ends_every_stream() -> None:
    async def story() -> None:
        harness = HubHarness()
        stream = await harness.hub.open(GYM, View.MEMBER)
        await harness.hub.close()
        frame, more = await stream.take()
        assert (frame, more) == (b'event: end\ndata: {"reason":"closing"}\n\n', False)

    run(story())
