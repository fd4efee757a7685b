"""Slow sign-ins delay no confirmation of a session."""

import asyncio
import threading
from dataclasses import dataclass
from pathlib import Path

from deployments.identity.sessions import SessionService
from deployments.identity.thread_pools import ThreadPools
from deployments.service_host import ServiceHost, name_of
from domain.clock import system_clock
from domain.ids import new_id
from tests.stores import sqlite_store

CONNECTIONS = 4


class SlowService:
    """Waits as for a provider that hangs."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.running = 0
        self._lock = threading.Lock()

    def wait(self) -> None:
        with self._lock:
            self.running += 1
        self.may_end.wait(30)


@dataclass(frozen=True)
class Services:
    slow: SlowService
    sessions: SessionService


def test_sessions_are_confirmed_while_every_other_thread_waits(tmp_path: Path) -> None:
    asyncio.run(_confirm_while_others_wait(tmp_path))


async def _confirm_while_others_wait(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    slow = SlowService()
    threads = ThreadPools(ServiceHost(Services(slow, SessionService(store, system_clock))), CONNECTIONS)
    waiting = [asyncio.create_task(threads.call(name_of(SlowService.wait))) for _ in range(20)]
    async with asyncio.timeout(30):
        while slow.running < CONNECTIONS - 2:  # noqa: ASYNC110 - counted by other threads
            await asyncio.sleep(0.01)
        assert await threads.call(name_of(SessionService.states), [new_id()]) == {}
    assert slow.running == CONNECTIONS - 2, "no more threads than connections"
    slow.may_end.set()
    await asyncio.gather(*waiting)
    threads.close()
    store.close()
