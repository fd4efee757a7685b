"""The replica of the live view is killed while many watch a gym and doors scan at it."""

import asyncio
import time
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from domain.door.tables import open_visits
from domain.identity.model import Role
from domain.ids import new_id
from integrations.local_identity.tokens import mint_access_token
from integrations.settings import Settings
from tests.faults.figures import Figures
from tests.faults.full_stack.full_stack import Whole
from tests.live_watchers import Watcher, all_see

pytestmark = [pytest.mark.soak("replicas"), pytest.mark.timeout(900)]

STREAMS, SESSIONS = 200, 20


def authorization(whole: Whole) -> str:
    id_, settings = new_id(), Settings(data_dir=whole.stack.data_dir)
    email, hour = f"{id_}@members.example", timedelta(hours=1)
    return "Bearer " + mint_access_token(settings, sub=id_, email=email, groups=[Role.USER], lifetime=hour)


def inside(whole: Whole) -> int:
    """How many are inside the gym that is watched."""
    with whole.store.reading() as connection:
        query = select(func.count()).select_from(open_visits).where(open_visits.c.gym_id == whole.gyms.ids[0])
        return connection.execute(query).scalar_one()


def scan_until_replaced(whole: Whole) -> float:
    """Kill the live view, let doors decide meanwhile, and return when another replica was seen."""
    with whole.doors() as doors:
        doors.wait_decided(doors.began_at, 30)
        victims = whole.replicas("Live")
        assert victims
        for victim in victims:
            victim.kill()
        whole.wait_replicas("Live", len(victims), besides=victims)
        replaced_at = time.monotonic()
        doors.wait_decided(replaced_at, 30)
    whole.assert_nothing_lost(doors)
    return replaced_at


def test_every_stream_comes_back_and_shows_how_many_are_inside(whole: Whole, figures: Figures) -> None:
    async def story() -> None:
        sessions = [authorization(whole) for _ in range(SESSIONS)]
        port, gym = whole.stack.port, whole.gyms.ids[0]
        watchers = [Watcher(port, gym, sessions[number % SESSIONS]) for number in range(STREAMS)]
        tasks = [asyncio.create_task(watcher.run()) for watcher in watchers]
        try:
            figures.tell("all open after, s", await all_see(watchers))
            before = [watcher.opened for watcher in watchers]
            scanning = asyncio.create_task(asyncio.to_thread(scan_until_replaced, whole))
            back = asyncio.create_task(_all_opened_again(watchers, before))
            replaced_at, back_at = await scanning, await back
            figures.tell("all open again after the new replica's process was seen, s", back_at - replaced_at)
            settled_at = time.monotonic()
            await all_see(watchers, await asyncio.to_thread(inside, whole))
            figures.tell("all show the truth after the last scan was decided, s", time.monotonic() - settled_at)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(story())


async def _all_opened_again(watchers: list[Watcher], before: list[int]) -> float:
    give_up = time.monotonic() + 240
    while any(one.opened <= then or one.occupancy is None for one, then in zip(watchers, before, strict=True)):
        assert time.monotonic() < give_up
        await asyncio.sleep(0.05)
    return time.monotonic()
