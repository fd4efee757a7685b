"""A rush against a running stack: set up, play, prove, draw, put away."""

import asyncio
import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from cluster.errors import CommandError
from cluster.load.http_client import StackWire
from cluster.load.invariants import Invariant, invariants, of_answers
from cluster.load.requests import ScanRequests
from cluster.load.rush.books import Books
from cluster.load.rush.chart import draw
from cluster.load.rush.display import Display
from cluster.load.rush.loading import set_up, withdraw_devices
from cluster.load.rush.rush import Rush, Wish
from cluster.load.rush.scanner import ANSWER_WITHIN_S, Doors, Signs
from cluster.load.rush.summary import Summary, summary_of
from cluster.load.rush.visitors import Visitor, capacities, plan_people
from cluster.load.rush.world import RushWorld
from cluster.local.ports import LOOPBACK
from cluster.local.record import StackRecord
from domain.clock import system_clock
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.pass_keys import PassKeyError, PassSigner
from integrations.settings import Profile, Settings

PICTURE = "rush"


@dataclass(frozen=True, slots=True)
class Played:
    """A rush that is over, and its picture's files."""

    summary: Summary
    pictures: list[Path]


def play(
    settings: Settings, record: StackRecord, store: Store, wish: Wish, picture: Path | None, console: Console
) -> Played:
    """Play a rush.

    Args:
        settings, record, store: of the running stack.
        picture: where to; None: into its data folder.
        console: for the progress.

    Raises:
        CommandError: the stack cannot be used for one, or the picture cannot be written.
    """
    signs = _signs(settings, record)
    with _alone(settings.data_dir):
        try:
            return _played(store, record, wish, signs, picture or settings.data_dir / PICTURE, console)
        finally:
            with suppress(SQLAlchemyError):  # a store that is away: the next rush takes them back
                withdraw_devices(store, system_clock())


def _played(store: Store, record: StackRecord, wish: Wish, signs: Signs, picture: Path, console: Console) -> Played:
    visitors = plan_people(wish.members, wish.gyms, wish.minutes, wish.seed)
    room = capacities(visitors, wish.gyms, wish.minutes)
    with console.status("setting up") as status:
        world = set_up(store, room, wish.members, system_clock(), lambda what: status.update(f"setting up {what}"))
    since, books = new_id(), Books()
    with Display(world, console) as display:
        try:
            rush = asyncio.run(_driven(record.url, wish, world, visitors, signs, books, display))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None  # the second Ctrl-C
    with console.status("holding the store against the answers"):
        found = _found(store, world, books, since)
    summary = summary_of(wish, books, world, found, rush.minutes_done, is_interrupted=rush.is_interrupted)
    return Played(summary, _drawn(picture, summary, books, world))


async def _driven(
    url: str,
    wish: Wish,
    world: RushWorld,
    visitors: Sequence[Visitor],
    signs: Signs,
    books: Books,
    display: Display,
) -> Rush:
    parts = urlsplit(url)
    wire = StackWire(parts.hostname or LOOPBACK, parts.port or 80, ANSWER_WITHIN_S)
    rush = Rush(wish, world, visitors, Doors(wire, signs), books, display)
    try:
        await rush.run()
    finally:
        wire.close()
    return rush


def _found(store: Store, world: RushWorld, books: Books, since: UUID) -> list[Invariant]:
    try:
        with store.reading() as connection:
            return invariants(connection, world, books, since)
    except SQLAlchemyError as error:
        # Its own text may hold the address with the password.
        return [*of_answers(books), Invariant("store_read", None, f"the store cannot be read: {type(error).__name__}")]


def _signs(settings: Settings, record: StackRecord) -> Signs:
    if record.profile == Profile.PRODUCTION:
        raise CommandError("a rush makes gyms and members, which production is no place for", "start another stack")
    if settings.passes.key_dir is None:
        raise CommandError("the stack has no pass keys", "set FITMONITOR_PASSES__KEY_DIR")
    try:
        return ScanRequests(PassSigner(settings.passes.key_dir), record.url)
    except PassKeyError as error:
        raise CommandError(str(error), "start the stack with `fitmonitor up`, which makes a key") from error


def _drawn(picture: Path, summary: Summary, books: Books, world: RushWorld) -> list[Path]:
    try:
        return draw(picture, summary, books, world)
    except OSError as error:
        raise CommandError(f"{picture} cannot be written", error.strerror or str(error)) from error


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Two rushes would take each other's devices back."""
    with (data_dir / "rush.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError("another rush runs on this stack", "wait for it, or stop it with Ctrl-C") from error
        yield
