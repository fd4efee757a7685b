"""A rush from its first scan to its last: who is inside already comes in, the hour passes, everybody goes out."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Protocol

from cluster.load.rush.books import Books, Stage
from cluster.load.rush.desk import Desk
from cluster.load.rush.pace import Pace
from cluster.load.rush.scanner import Doors
from cluster.load.rush.visit import Visit, leave
from cluster.load.rush.visitors import GATES_A_GYM, Visitor
from cluster.load.rush.world import RushMember, RushWorld
from domain.clock import system_clock

# A second, before the clock begins and after it has ended: less than the smallest stack keeps up with.
MOVING_RATE = 60.0
_STOPPING = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is simulated.

    Args:
        minutes: simulated.
        speed: how many of them pass in a real minute.
        leave_inside: whether whoever is inside at the end stays there.
    """

    members: int
    gyms: int
    minutes: float
    speed: float
    seed: int
    leave_inside: bool


class Watcher(Protocol):
    """Whoever watches a rush."""

    def show(self, stage: Stage, pace: Pace, books: Books) -> None:
        """See how far it is; called several times a second."""


class Rush:
    """One rush.

    Args:
        wish: what is simulated.
        world: the gyms, and the members by their place.
        visitors: the plan.
        doors: of the running stack.
        books: filled by it.
        watcher: shown the progress.
        now: the real time, as doors and phones have it.
    """

    def __init__(
        self,
        wish: Wish,
        world: RushWorld,
        visitors: Sequence[Visitor],
        doors: Doors,
        books: Books,
        watcher: Watcher,
        now: Callable[[], datetime] = system_clock,
    ) -> None:
        self._wish = wish
        self._world = world
        self._visitors = visitors
        self._doors = doors
        self._books = books
        self._watcher = watcher
        self._now = now
        self._stage = Stage.CLEARING
        self.is_interrupted = False
        self.minutes_done = 0.0

    async def run(self) -> None:
        """Play it, until its end or the first Ctrl-C, which lets nobody begin and waits for what is under way.

        Raises:
            asyncio.CancelledError: a second Ctrl-C.
        """
        pace = Pace(self._wish.speed, self._wish.minutes, self._now)
        desk = Desk(self._world, self._doors, self._books, pace, on_silence=pace.stop)
        watching = asyncio.ensure_future(self._watch(pace))
        try:
            with self._stoppable(pace):
                await self._play(desk)
        finally:
            self.minutes_done = min(pace.minute, self._wish.minutes)
            watching.cancel()
        self._watcher.show(self._stage, pace, self._books)

    async def _play(self, desk: Desk) -> None:
        gym_at = {gym.id: place for place, gym in enumerate(self._world.gyms)}
        self._books.inside |= {member.id: gym_at[gym_id] for member, gym_id in self._world.left_inside}
        await self._let_out(desk, [member for member, _ in self._world.left_inside], Stage.CLEARING)
        self._stage = Stage.FILLING
        visits = [Visit(desk, visitor, self._wish.seed) for visitor in self._visitors]
        early = [visit for visit, visitor in zip(visits, self._visitors, strict=True) if visitor.arrives < 0]
        begin = desk.pace.seconds
        await _all(visit.come_before(begin + place / MOVING_RATE) for place, visit in enumerate(early))
        if desk.pace.is_stopped:
            return
        self._stage = Stage.RUSH
        desk.pace.begin()
        await _all(visit.spend() for visit in visits)
        await desk.pace.until_minute(self._wish.minutes)
        self.minutes_done = min(desk.pace.minute, self._wish.minutes)
        if not self._wish.leave_inside and not desk.pace.is_stopped:
            self._stage = Stage.LETTING_OUT
            by_id = {member.id: member for member in self._world.members}
            await self._let_out(desk, [by_id[member] for member in list(self._books.inside)], self._stage)

    async def _let_out(self, desk: Desk, members: Sequence[RushMember], stage: Stage) -> None:
        begin = desk.pace.seconds
        random = Random(self._wish.seed)  # noqa: S311 - draws gates, guards nothing

        async def out(member: RushMember, second: float) -> None:
            gym = self._world.gyms[self._books.inside[member.id]]
            due = await desk.pace.until_second(second)
            if due is not None:
                await leave(desk, member, gym.gates[random.randrange(GATES_A_GYM)], due, stage, random)

        await _all(out(member, begin + place / MOVING_RATE) for place, member in enumerate(members))

    async def _watch(self, pace: Pace) -> None:
        while True:
            self._watcher.show(self._stage, pace, self._books)
            await asyncio.sleep(0.25)

    @contextmanager
    def _stoppable(self, pace: Pace) -> Iterator[None]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop() -> None:
            if self.is_interrupted and task is not None:
                task.cancel()  # whoever asks twice waits no longer
            self.is_interrupted = True
            pace.stop()

        for number in _STOPPING:
            loop.add_signal_handler(number, stop)
        try:
            yield
        finally:
            for number in _STOPPING:
                loop.remove_signal_handler(number)


async def _all(what: Iterable[Coroutine[object, object, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for each in what:
            group.create_task(each)
