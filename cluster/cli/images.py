"""`fitmonitor images`: deletes pictures that nothing shows any more."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import typer

from cluster.cli.database import opened
from cluster.cli.output import print_result
from cluster.errors import CommandError
from cluster.settings_file import stack_settings
from domain.clock import system_clock
from domain.images.garbage_collection import SweepResult
from domain.images.garbage_collection import sweep as sweep_images
from domain.images.model import ImagePrefix
from domain.images.ports import ImagesUnavailableError
from domain.images.repository import shown_names
from domain.leases import LeaseLostError
from domain.unit_of_work import Store
from integrations.images.store import open_image_store
from integrations.lease import Lease

app = typer.Typer(no_args_is_help=True, help="Delete pictures that nothing shows any more.")

# A sweep that is killed blocks others no longer than this.
_LEASE_LASTS = timedelta(seconds=30)
_BUSY = "wait until it has ended, or half a minute if it was killed"
_UNAVAILABLE = "check FITMONITOR_IMAGES__BUCKET and its keys, or the folder FITMONITOR_IMAGES__FOLDER, and try again"


@app.callback()
def _group() -> None:
    """Keep `sweep` a subcommand although it is the only one."""


@app.command()
def sweep(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be deleted.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the keys, and how many pictures were kept, as JSON.")
    ] = False,
) -> None:
    """Delete abandoned uploads, and pictures that no machine and no member shows any more.

    Only pictures older than FITMONITOR_IMAGES__DELETE_UNUSED_AFTER_HOURS are deleted. Run it once an hour. While one
    sweep runs, another ends with exit code 1.

    Example: fitmonitor images sweep --dry-run
    """
    settings = stack_settings()
    written_before = system_clock() - timedelta(hours=settings.images.delete_unused_after_hours)
    with opened(settings) as store:

        def shown_of(prefix: ImagePrefix, names: Collection[str]) -> set[str]:
            with store.reading() as connection:
                return shown_names(connection, prefix, names)

        try:
            with _lease(store, dry_run=dry_run) as check:
                swept = sweep_images(open_image_store(settings), shown_of, written_before, dry_run=dry_run, check=check)
        except ImagesUnavailableError as error:
            raise CommandError(str(error), _UNAVAILABLE) from error
    print_result(swept, "\n".join([*swept.keys, _summary(swept, dry_run=dry_run)]), as_json=as_json)


@contextmanager
def _lease(store: Store, *, dry_run: bool) -> Iterator[Callable[[], None]]:
    """Hold the lease of sweeps, except for a dry run; yields a function that checks it."""
    lease = Lease(store, "image-sweep", _LEASE_LASTS)

    def check() -> None:
        if not dry_run:
            with store.reading() as connection:
                lease.check(connection)

    if not dry_run and not lease.try_acquire():
        raise CommandError("another sweep is running", _BUSY)
    try:
        yield check
    except LeaseLostError as error:
        raise CommandError("this sweep stalled, and another one has taken over", _BUSY) from error
    finally:
        lease.release()


def _summary(swept: SweepResult, *, dry_run: bool) -> str:
    deleted = "would be deleted" if dry_run else "deleted"
    return f"{len(swept.keys)} {deleted}, {swept.kept} kept because they are shown."
