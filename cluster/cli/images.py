"""`fitmonitor images`: the store of pictures."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import typer

from cluster.cli.database import opened
from cluster.cli.output import print_json, print_plain
from cluster.errors import CommandError
from cluster.settings_file import stack_settings
from domain.clock import system_clock
from domain.image_sweep import Swept, shown_names
from domain.image_sweep import sweep as sweep_images
from domain.images import ImagesAwayError, Shelf
from domain.leases import LeaseLostError
from domain.unit_of_work import Store
from integrations.images.store import open_image_store
from integrations.lease import Lease

app = typer.Typer(no_args_is_help=True, help="The store of pictures.")

# A sweep that is killed is in nobody's way for longer than this.
_LEASE_LASTS = timedelta(seconds=30)
_BUSY = "wait until the other one has ended, or half a minute where it was killed"
_AWAY = "look at FITMONITOR_IMAGES__BUCKET and its keys, or at the folder in FITMONITOR_IMAGES__FOLDER, and try again"


@app.callback()
def _group() -> None:
    """So that `sweep` stays a word of its own."""


@app.command()
def sweep(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be taken away, and leave it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The keys, and how many were kept, as JSON.")] = False,
) -> None:
    """Take away uploads that were given up, and pictures that no machine and no member shows any more.

    Only what is older than FITMONITOR_IMAGES__DELETE_UNUSED_AFTER_HOURS. Run it once an hour. While one sweep runs,
    another does nothing and ends with 1.

    Example: fitmonitor images sweep --dry-run
    """
    settings = stack_settings()
    written_before = system_clock() - timedelta(hours=settings.images.delete_unused_after_hours)
    with opened(settings) as store:

        def shown_of(shelf: Shelf, names: Collection[str]) -> set[str]:
            with store.reading() as connection:
                return shown_names(connection, shelf, names)

        try:
            with _alone(store, dry_run=dry_run) as check:
                swept = sweep_images(open_image_store(settings), shown_of, written_before, dry_run=dry_run, check=check)
        except ImagesAwayError as error:
            raise CommandError(str(error), _AWAY) from error
    if as_json:
        print_json(swept)
    else:
        print_plain("\n".join([*swept.keys, _told(swept, dry_run=dry_run)]))


@contextmanager
def _alone(store: Store, *, dry_run: bool) -> Iterator[Callable[[], None]]:
    """Hold the lease of sweeps, which a dry run does not need; yields what checks it."""
    lease = Lease(store, "image-sweep", _LEASE_LASTS)

    def check() -> None:
        if not dry_run:
            with store.reading() as connection:
                lease.check(connection)

    if not dry_run and not lease.try_acquire():
        raise CommandError("another sweep is under way", _BUSY)
    try:
        yield check
    except LeaseLostError as error:
        raise CommandError("another sweep has taken over, as this one stood still", _BUSY) from error
    finally:
        lease.release()


def _told(swept: Swept, *, dry_run: bool) -> str:
    would = "would be taken away" if dry_run else "taken away"
    return f"{len(swept.keys)} {would}, {swept.kept} kept: they are shown."
