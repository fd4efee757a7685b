"""A rush against a running stack: seed, run, compare the store with the answers, draw, clean up."""

import asyncio
import fcntl
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from cluster.errors import CommandError
from cluster.load.figures import Figures
from cluster.load.http_client import Client, ConnectionPool
from cluster.load.rush.chart import draw
from cluster.load.rush.display import Display
from cluster.load.rush.log import RushLog, Stage
from cluster.load.rush.scanner import PATIENCE_S, RESPONSE_WITHIN_S, Scanner
from cluster.load.rush.simulated_clock import SimulatedClock
from cluster.load.rush.summary import check_invariants, summarize
from cluster.load.rush.visit import Visit, leave
from cluster.load.rush.visitors import SHARES, RushOptions, Visitor, capacities, plan_visitors
from cluster.load.scans import ScanWriter
from cluster.load.seeding import WorldSpec, company_name, seed, withdraw_devices
from cluster.load.world import Member, World
from cluster.local.ports import LOOPBACK
from cluster.local.stack_record import StackRecord
from domain.clock import system_clock
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.settings import Profile, Settings

LABEL = "Rush"
DEVICES_PER_GATE = 4
PICTURE = "rush"
# Scans a second before the clock begins and after it has ended: less than the smallest stack keeps up with.
_MOVING_RATE = 60.0
_STOPPING = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class Rush:
    """One rush.

    Args:
        visitors: the plan.
        writer: writes scans for it.
        log: filled by the rush.
        show: called several times a second to show the progress.
        now: the real time, as doors and phones have it.
        patience_s: for how long a scan without an answer is sent again.
        minutes_done: simulated.
    """

    options: RushOptions
    world: World
    visitors: Sequence[Visitor]
    writer: ScanWriter
    log: RushLog
    show: Callable[[Stage, SimulatedClock, RushLog], None]
    now: Callable[[], datetime] = system_clock
    patience_s: float = PATIENCE_S
    is_interrupted: bool = False
    minutes_done: float = 0.0

    async def run(self, client: Client) -> None:
        """Run until the end, or until the first Ctrl-C, after which nobody begins and scans under way are awaited.

        Args:
            client: of the running stack.

        Raises:
            asyncio.CancelledError: a second Ctrl-C.
        """
        clock = SimulatedClock(self.options.speed, self.options.minutes, self.now)
        scanner = Scanner(client, self.writer, self.log, clock, self.patience_s)
        watching = asyncio.ensure_future(self._watch(clock))
        try:
            with self._stoppable(clock):
                await self._run_stages(scanner, clock)
        finally:
            self.minutes_done = min(clock.minute, self.options.minutes)
            watching.cancel()
        self.show(self.log.stage, clock, self.log)

    async def _run_stages(self, scanner: Scanner, clock: SimulatedClock) -> None:
        left_inside = self.world.left_inside
        self.log.answers.inside |= {member.id: gym_id for member, gym_id in left_inside}
        await self._let_out(scanner, [member for member, _ in left_inside])
        self.log.stage = Stage.FILLING
        visits = [Visit(self.world, scanner, visitor, self.options.seed) for visitor in self.visitors]
        early = [visit for visit, visitor in zip(visits, self.visitors, strict=True) if visitor.arrives < 0]
        begin = clock.seconds
        await _all(visit.enter_before(begin + place / _MOVING_RATE) for place, visit in enumerate(early))
        if clock.is_stopped:
            return
        self.log.stage = Stage.RUSH
        clock.begin()
        await _all(visit.run() for visit in visits)
        await clock.until_minute(self.options.minutes)
        self.minutes_done = min(clock.minute, self.options.minutes)
        if not self.options.leave_inside and not clock.is_stopped:
            self.log.stage = Stage.LETTING_OUT
            by_id = {member.id: member for member in self.world.members}
            await self._let_out(scanner, [by_id[member_id] for member_id in self.log.answers.inside])

    async def _let_out(self, scanner: Scanner, members: Sequence[Member]) -> None:
        clock, begin = scanner.clock, scanner.clock.seconds
        random = Random(self.options.seed)  # noqa: S311 - draws gates, guards nothing
        gates = {gym.id: gym.gates for gym in self.world.gyms}

        async def let_out(member: Member, second: float) -> None:
            gate = random.choice(gates[self.log.answers.inside[member.id]])
            due = await clock.until_second(second)
            if due is not None:
                await leave(scanner, member, gate, due, random)

        await _all(let_out(member, begin + place / _MOVING_RATE) for place, member in enumerate(members))

    async def _watch(self, clock: SimulatedClock) -> None:
        while True:
            self.show(self.log.stage, clock, self.log)
            await asyncio.sleep(0.25)

    @contextmanager
    def _stoppable(self, clock: SimulatedClock) -> Iterator[None]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop() -> None:
            if self.is_interrupted and task is not None:
                task.cancel()
            self.is_interrupted = True
            clock.stop()

        for number in _STOPPING:
            loop.add_signal_handler(number, stop)
        try:
            yield
        finally:
            for number in _STOPPING:
                loop.remove_signal_handler(number)


async def _all(work: Iterable[Coroutine[object, object, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for each in work:
            group.create_task(each)


def run_rush(
    settings: Settings, record: StackRecord, store: Store, options: RushOptions, picture: Path | None, console: Console
) -> Figures:
    """Run a rush against a running stack; its figures, and the files of its picture.

    Args:
        settings, record, store: of the stack.
        picture: where the picture goes; None: into the data folder.
        console: shows the progress.

    Raises:
        CommandError: the stack cannot be used for a rush, or the picture cannot be written.
    """
    if record.profile == Profile.PRODUCTION:
        raise CommandError("a rush creates gyms and members, which do not belong in production", "start another stack")
    writer = ScanWriter.of_stack(settings, urlsplit(record.url).netloc)
    visitors = plan_visitors(options.members, options.gyms, options.minutes, options.seed)
    since, log = new_id(), RushLog()
    picture = picture or settings.data_dir / PICTURE
    with _only_one(settings.data_dir), _revoked_devices(store):
        with console.status("seeding") as status:
            spec = spec_of(options, visitors)
            world = seed(store, spec, system_clock(), lambda what: status.update(f"seeding {what}"))
        with Display(world, console) as display:
            rush = Rush(options, world, visitors, writer, log, display.show)
            try:
                asyncio.run(_run(rush, record.url))
            except asyncio.CancelledError:
                raise KeyboardInterrupt from None  # the second Ctrl-C
        with console.status("comparing the store with the answers"):
            invariants = check_invariants(store, world, log, since)
        summary = summarize(options, log, invariants, rush.minutes_done, is_interrupted=rush.is_interrupted)
        try:
            files = draw(picture, summary, log, world)
        except OSError as error:
            raise CommandError(f"{picture} cannot be written", error.strerror or str(error)) from error
    return {**summary, "pictures": [str(file) for file in files]}


def spec_of(options: RushOptions, visitors: Sequence[Visitor]) -> WorldSpec:
    """The gyms and members of a rush."""
    room = capacities(visitors, options.gyms, options.minutes)
    return WorldSpec(LABEL, room, options.members, DEVICES_PER_GATE, SHARES)


async def _run(rush: Rush, url: str) -> None:
    parts = urlsplit(url)
    pool = ConnectionPool(parts.hostname or LOOPBACK, parts.port or 80, RESPONSE_WITHIN_S)
    try:
        await rush.run(pool)
    finally:
        pool.close()


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Two rushes would revoke each other's devices."""
    with (data_dir / "rush.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError("another rush runs on this stack", "wait for it, or stop it with Ctrl-C") from error
        yield


@contextmanager
def _revoked_devices(store: Store) -> Iterator[None]:
    """Revoke the devices of the rush at its end."""
    try:
        yield
    finally:
        with suppress(SQLAlchemyError):  # the database is unavailable: the next rush revokes them
            store.written(partial(withdraw_devices, company=company_name(LABEL), now=system_clock()))
