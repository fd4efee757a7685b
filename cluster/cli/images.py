"""`fitmonitor images`: the store of pictures."""

from collections.abc import Collection
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
from integrations.images.choice import open_images

app = typer.Typer(no_args_is_help=True, help="The store of pictures.")

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

    Only what is older than FITMONITOR_IMAGES__SWEEP_AFTER_HOURS. Run it once an hour; several at once do no harm.

    Example: fitmonitor images sweep --dry-run
    """
    settings = stack_settings()
    written_before = system_clock() - timedelta(hours=settings.images.sweep_after_hours)
    with opened(settings) as store:

        def shown_of(shelf: Shelf, names: Collection[str]) -> set[str]:
            with store.reading() as connection:
                return shown_names(connection, shelf, names)

        try:
            swept = sweep_images(open_images(settings), shown_of, written_before, dry_run=dry_run)
        except ImagesAwayError as error:
            raise CommandError(str(error), _AWAY) from error
    if as_json:
        print_json(swept)
    else:
        print_plain("\n".join([*swept.keys, _told(swept, dry_run=dry_run)]))


def _told(swept: Swept, *, dry_run: bool) -> str:
    would = "would be taken away" if dry_run else "taken away"
    return f"{len(swept.keys)} {would}, {swept.kept} kept: they are shown."
