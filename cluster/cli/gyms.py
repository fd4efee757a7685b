"""`fitmonitor gym`: gyms of this stack's database, for the first hour of an installation and for scripts."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from sqlalchemy import Connection

from cluster.cli.database import opened
from cluster.cli.output import print_json, print_plain
from cluster.errors import CommandError
from cluster.settings_file import stack_settings
from deployments.gateway.gym_documents import NewGym
from deployments.gateway.hours_documents import NewOpeningHours, OpeningHoursDocument
from domain.clock import system_clock
from domain.gyms import managing
from domain.gyms.hours import HoursRepository
from domain.gyms.model import Gym, GymRefusal
from domain.gyms.registry import GymRegistry
from domain.gyms.repository import GymRepository
from domain.gyms.timetable import GymHours
from domain.paging import PageRequest

T = TypeVar("T")

app = typer.Typer(help="List, create and retire gyms; show and set their opening hours.", no_args_is_help=True)

GymArgument = Annotated[str, typer.Argument(help="The gym's id, number or name.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
_MOST = 1000
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@app.command("list")
def list_gyms(
    *, retired: Annotated[bool, typer.Option(help="Those that were retired.")] = False, as_json: AsJson = False
) -> None:
    """List gyms.

    Example: fitmonitor gym list --json
    """
    with opened(stack_settings()) as store, store.reading() as connection:
        found = _all(connection, retired=retired)
    if as_json:
        print_json(found)
        return
    # The id first: it has one width, and what a narrow terminal folds are names.
    for gym in found:
        print_plain(f"{gym.legacy_number:>3}  {gym.id}  {gym.name}, {gym.address} ({gym.time_zone}, {gym.capacity})")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What members call it.", show_default=False)],
    address: Annotated[str, typer.Option(help="Where it is.", show_default=False)],
    time_zone: Annotated[str, typer.Option(help="As in Europe/Berlin.", show_default=False)],
    capacity: Annotated[int, typer.Option(help="How many may be inside at once.", show_default=False)],
    *,
    as_json: AsJson = False,
) -> None:
    """Set a gym up. It is open day and night until it has opening hours.

    Example: fitmonitor gym create Riverside --address "Quay 7" --time-zone Europe/Berlin --capacity 120
    """
    wanted = NewGym(name=name, address=address, time_zone=time_zone, capacity=capacity)
    now = system_clock()
    made = _changed(lambda connection: managing.create_gym(GymRegistry(connection), wanted.details(), now))
    if as_json:
        print_json(made)
    else:
        print_plain(f"{made.name} is gym {made.legacy_number}, {made.id}.")


@app.command()
def retire(gym: GymArgument) -> None:
    """Let nobody into a gym any more; who is inside can leave.

    Example: fitmonitor gym retire Riverside
    """

    def use_case(connection: Connection) -> Gym | GymRefusal:
        return managing.retire_gym(GymRegistry(connection), _named(connection, gym).id, system_clock())

    print_plain(f"{_changed(use_case).name} is retired. Its past stays.")


@app.command()
def hours(
    gym: GymArgument,
    *,
    file: Annotated[
        Path | None,
        typer.Option(
            "--set", help="Set them to those of this file, as `--json` writes them; - reads what is piped in."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a gym's opening hours, or set them anew.

    Example: fitmonitor gym hours Riverside --json > hours.json; fitmonitor gym hours Riverside --set hours.json
    """
    wanted = None if file is None else NewOpeningHours.model_validate_json(_read(file)).timetable()

    def use_case(connection: Connection) -> GymHours | GymRefusal:
        found, repository = _named(connection, gym), HoursRepository(connection)
        if wanted is None:
            return GymHours(found, repository.of(found.id))
        changed = managing.set_hours(GymRegistry(connection), repository, found.id, wanted, None)
        return changed if isinstance(changed, GymRefusal) else GymHours(changed, wanted)

    document = OpeningHoursDocument.of(_changed(use_case), system_clock())
    if as_json:
        print_json(document.model_dump(mode="json", exclude_none=True))
        return
    for span in document.hours:
        print_plain(f"{_WEEKDAYS[span.weekday]}  {span.opens}-{span.closes}")
    for one in document.exceptions:
        print_plain(f"{one.day}  {'closed' if one.closed else f'{one.opens}-{one.closes}'}  {one.note}".rstrip())
    state = "open" if document.open_now else "closed"
    until = f" until {document.next_change:%Y-%m-%d %H:%M} UTC" if document.next_change else ""
    print_plain(f"Now it is {state}{until}.")


def _changed(use_case: Callable[[Connection], T | GymRefusal]) -> T:
    with opened(stack_settings()) as store, store.writing() as connection:
        done = use_case(connection)
    if isinstance(done, GymRefusal):
        raise CommandError(done.detail)
    return done


def _all(connection: Connection, *, retired: bool = False) -> list[Gym]:
    return list(GymRepository(connection).gyms(PageRequest(_MOST), retired=retired).items)


def _named(connection: Connection, wanted: str) -> Gym:
    """The gym in operation that somebody means."""
    try:
        found = GymRepository(connection).gym(UUID(wanted))
        named = [found] if found else []
    except ValueError:
        called = wanted.casefold()
        named = [gym for gym in _all(connection) if called in {str(gym.legacy_number), gym.name.casefold()}]
    if len(named) == 1:
        return named[0]
    if named:
        raise CommandError(f"several gyms are called {wanted}", "name one by its id: `fitmonitor gym list`")
    raise CommandError(f"there is no gym {wanted}", "see `fitmonitor gym list`")


def _read(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.read()
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read ({type(error).__name__})") from error
