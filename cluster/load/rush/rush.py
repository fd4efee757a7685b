"""A rush against a running stack: seed, run, compare the store with the answers, draw, clean up."""

import asyncio
import fcntl
import signal
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Protocol
from urllib.parse import urlsplit
from uuid import UUID

from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from cluster.errors import CommandError
from cluster.load.http_client import Client, ConnectionPool
from cluster.load.invariants import compare_with_store
from cluster.load.passes import signed
from cluster.load.rush.chart import draw
from cluster.load.rush.display import Display
from cluster.load.rush.log import RushLog, Stage
from cluster.load.rush.pace import Pace
from cluster.load.rush.scanner import PATIENCE_S, RESPONSE_WITHIN_S, Scanner
from cluster.load.rush.summary import Invariant, Summary, invariants_of_answers, invariants_of_store, summarize
from cluster.load.rush.visit import Visit, leave
from cluster.load.rush.visitors import SHARES, RushOptions, Visitor, capacities, plan_visitors
from cluster.load.scans import ScanWriter
from cluster.load.seeding import WorldSpec, company_name, seed, withdraw_devices
from cluster.load.world import Member, World
from cluster.local.ports import LOOPBACK
from cluster.local.record import StackRecord
from domain.clock import system_clock
from domain.door.reconcile import disagreements
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.pass_keys import PassKeyError, PassSigner
from integrations.settings import Profile, Settings

LABEL = "Rush"
DEVICES_PER_GATE = 4
PICTURE = "rush"
# Scans a second before the clock begins and after it has ended: less than the smallest stack keeps up with.
_MOVING_RATE = 60.0
_STOPPING = (signal.SIGINT, signal.SIGTERM)


class Watcher(Protocol):
    """Shows the progress of a rush."""

    def show(self, stage: Stage, pace: Pace, log: RushLog) -> None:
        """Show how far it is; called several times a second."""


class Rush:
    """One rush.

    Args:
        visitors: the plan.
        client: of the running stack.
        writer: writes scans for it.
        log: filled by the rush.
        now: the real time, as doors and phones have it.
    """

    def __init__(
        self,
        options: RushOptions,
        world: World,
        visitors: Sequence[Visitor],
        client: Client,
        writer: ScanWriter,
        log: RushLog,
        watcher: Watcher,
        *,
        now: Callable[[], datetime] = system_clock,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._options = options
        self._world = world
        self._visitors = visitors
        self._client = client
        self._writer = writer
        self._log = log
        self._watcher = watcher
        self._now = now
        self._patience_s = patience_s
        self._stage = Stage.CLEARING
        self.is_interrupted = False
        self.minutes_done = 0.0

    async def run(self) -> None:
        """Run until the end, or until the first Ctrl-C, after which nobody begins and scans under way are awaited.

        Raises:
            asyncio.CancelledError: a second Ctrl-C.
        """
        pace = Pace(self._options.speed, self._options.minutes, self._now)
        scanner = Scanner(self._client, self._writer, self._log, pace, pace.stop, self._patience_s)
        watching = asyncio.ensure_future(self._watch(pace))
        try:
            with self._stoppable(pace):
                await self._run_stages(scanner, pace)
        finally:
            self.minutes_done = min(pace.minute, self._options.minutes)
            watching.cancel()
        self._watcher.show(self._stage, pace, self._log)

    async def _run_stages(self, scanner: Scanner, pace: Pace) -> None:
        left_inside = self._world.left_inside
        self._log.answers.inside |= {member.id: gym_id for member, gym_id in left_inside}
        await self._let_out(scanner, [member for member, _ in left_inside])
        self._stage = Stage.FILLING
        visits = [Visit(self._world, scanner, visitor, self._options.seed) for visitor in self._visitors]
        early = [visit for visit, visitor in zip(visits, self._visitors, strict=True) if visitor.arrives < 0]
        begin = pace.seconds
        await _all(visit.enter_before(begin + place / _MOVING_RATE) for place, visit in enumerate(early))
        if pace.is_stopped:
            return
        self._stage = Stage.RUSH
        pace.begin()
        await _all(visit.run() for visit in visits)
        await pace.until_minute(self._options.minutes)
        self.minutes_done = min(pace.minute, self._options.minutes)
        if not self._options.leave_inside and not pace.is_stopped:
            self._stage = Stage.LETTING_OUT
            by_id = {member.id: member for member in self._world.members}
            await self._let_out(scanner, [by_id[member_id] for member_id in self._log.answers.inside])

    async def _let_out(self, scanner: Scanner, members: Sequence[Member]) -> None:
        pace, stage = scanner.pace, self._stage
        begin = pace.seconds
        random = Random(self._options.seed)  # noqa: S311 - draws gates, guards nothing
        gates = {gym.id: gym.gates for gym in self._world.gyms}

        async def let_out(member: Member, second: float) -> None:
            gate = random.choice(gates[self._log.answers.inside[member.id]])
            due = await pace.until_second(second)
            if due is not None:
                await leave(scanner, member, gate, due, stage, random)

        await _all(let_out(member, begin + place / _MOVING_RATE) for place, member in enumerate(members))

    async def _watch(self, pace: Pace) -> None:
        while True:
            self._watcher.show(self._stage, pace, self._log)
            await asyncio.sleep(0.25)

    @contextmanager
    def _stoppable(self, pace: Pace) -> Iterator[None]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop() -> None:
            if self.is_interrupted and task is not None:
                task.cancel()
            self.is_interrupted = True
            pace.stop()

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


@dataclass(frozen=True, slots=True)
class RushResult:
    """A rush that is over, and the files of its picture."""

    summary: Summary
    pictures: list[Path]


def run_rush(
    settings: Settings, record: StackRecord, store: Store, options: RushOptions, picture: Path | None, console: Console
) -> RushResult:
    """Run a rush against a running stack.

    Args:
        settings, record, store: of the stack.
        picture: where the picture goes; None: into the data folder.
        console: shows the progress.

    Raises:
        CommandError: the stack cannot be used for a rush, or the picture cannot be written.
    """
    writer = _writer(settings, record)
    with _only_one(settings.data_dir):
        try:
            return _run(store, record, options, writer, picture or settings.data_dir / PICTURE, console)
        finally:
            with suppress(SQLAlchemyError):  # the database is unavailable: the next rush revokes them
                store.written(partial(withdraw_devices, company=company_name(LABEL), now=system_clock()))


def _run(
    store: Store, record: StackRecord, options: RushOptions, writer: ScanWriter, picture: Path, console: Console
) -> RushResult:
    visitors = plan_visitors(options.members, options.gyms, options.minutes, options.seed)
    with console.status("seeding") as status:
        spec = spec_of(options, visitors)
        world = seed(store, spec, system_clock(), lambda what: status.update(f"seeding {what}"))
    since, log = new_id(), RushLog()
    with Display(world, console) as display:
        try:
            rush = asyncio.run(_drive(record.url, options, world, visitors, writer, log, display))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None  # the second Ctrl-C
    with console.status("comparing the store with the answers"):
        found = check_invariants(store, world, log, since)
    summary = summarize(options, log, found, rush.minutes_done, is_interrupted=rush.is_interrupted)
    try:
        return RushResult(summary, draw(picture, summary, log, world))
    except OSError as error:
        raise CommandError(f"{picture} cannot be written", error.strerror or str(error)) from error


def spec_of(options: RushOptions, visitors: Sequence[Visitor]) -> WorldSpec:
    """The gyms and members of a rush."""
    room = capacities(visitors, options.gyms, options.minutes)
    return WorldSpec(LABEL, room, options.members, DEVICES_PER_GATE, SHARES)


async def _drive(
    url: str,
    options: RushOptions,
    world: World,
    visitors: Sequence[Visitor],
    writer: ScanWriter,
    log: RushLog,
    display: Display,
) -> Rush:
    parts = urlsplit(url)
    pool = ConnectionPool(parts.hostname or LOOPBACK, parts.port or 80, RESPONSE_WITHIN_S)
    rush = Rush(options, world, visitors, pool, writer, log, display)
    try:
        await rush.run()
    finally:
        pool.close()
    return rush


def check_invariants(store: Store, world: World, log: RushLog, since: UUID) -> list[Invariant]:
    """Check everything that must hold after a rush.

    Args:
        since: an id older than every scan of the rush.
    """
    answers = log.answers
    try:
        with store.reading() as connection:
            compared = compare_with_store(
                connection,
                world.gym_ids,
                answers,
                since=since,
                inside_before=Counter(gym_id for _, gym_id in world.left_inside),
                all_answered=not answers.unanswered,
            )
            of_store = invariants_of_store(log, compared, disagreements(connection))
            return [*invariants_of_answers(log), *of_store]
    except SQLAlchemyError as error:
        # Its own text may hold the address with the password.
        detail = f"the store cannot be read: {type(error).__name__}"
        return [*invariants_of_answers(log), Invariant("store_read", None, detail)]


def _writer(settings: Settings, record: StackRecord) -> ScanWriter:
    if record.profile == Profile.PRODUCTION:
        raise CommandError("a rush creates gyms and members, which do not belong in production", "start another stack")
    if settings.passes.key_dir is None:
        raise CommandError("the stack has no pass keys", "set FITMONITOR_PASSES__KEY_DIR")
    try:
        sign = partial(signed, signer=PassSigner(settings.passes.key_dir))
    except PassKeyError as error:
        raise CommandError(str(error), "start the stack with `fitmonitor up`, which makes a key") from error
    return ScanWriter(sign, urlsplit(record.url).netloc)


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Two rushes would revoke each other's devices."""
    with (data_dir / "rush.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError("another rush runs on this stack", "wait for it, or stop it with Ctrl-C") from error
        yield
