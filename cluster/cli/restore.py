"""`fitmonitor restore`."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from cluster.backup.pictures import pictures_in, put_pictures_back
from cluster.backup.reading import BackupFile, reading
from cluster.backup.restoring import Restored, keeps_pictures
from cluster.backup.restoring import check as check_backup
from cluster.backup.restoring import restore as restore_stack
from cluster.backup.showing import shown
from cluster.cli.output import print_json, print_plain
from cluster.errors import CommandError
from cluster.settings_file import stack_settings
from integrations.images.store import open_image_store
from integrations.settings import Profile, Settings

DISAGREE = 3
_NAMED = 20


def restore(
    file: Annotated[Path, typer.Argument(help="What `fitmonitor backup` wrote.")],
    profile: Annotated[Profile | None, typer.Option(help="Into which parts; the backup may come from others.")] = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Only read all of the file, and touch nothing.")] = False,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Only put its pictures into the stack that is up.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Take away what a restore that was cut short left, without asking.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="What was done, as JSON.")] = False,
) -> None:
    """Fill an empty stack that is down from a backup, then look whether everything in it agrees.

    The whole file is checked before anything is written. What is not empty is refused; what was cut short cannot be
    started, and is begun anew. Ends with 3 if visits, scans, memberships or their ledger disagree.

    Example: FITMONITOR_DATA_DIR=.restored fitmonitor restore /media/backups/monday.fitmonitor
    """
    if check and pictures:
        raise typer.BadParameter("--check and --pictures are two different things")
    if profile is not None:
        os.environ["FITMONITOR_PROFILE"] = profile
    with reading(file) as backup:
        if check:
            _check(file, backup, as_json=as_json)
        elif pictures:
            _put_pictures(backup, as_json=as_json)
        else:
            _restore(Settings(), backup, yes=yes, as_json=as_json)


def _check(file: Path, backup: BackupFile, *, as_json: bool) -> None:
    said = backup.manifest
    check_backup(backup, shown)
    if as_json:
        rows = {table.name: table.rows for table in said.tables}
        print_json({"good": True, "id": said.id, "taken_at": said.taken_at, "rows": rows, "files": len(said.files)})
    else:
        print_plain(
            f"{file} is whole: {said.rows:,} rows and {len(said.files)} files, taken at "
            f"{said.taken_at:%Y-%m-%d %H:%M:%S} UTC by version {said.version}, profile {said.profile}."
        )


def _put_pictures(backup: BackupFile, *, as_json: bool) -> None:
    settings = stack_settings()
    if not keeps_pictures(settings):
        raise CommandError("this stack is not up", "start it, then put the pictures back")
    with shown("pictures", len(pictures_in(backup))) as told:
        number = put_pictures_back(backup, open_image_store(settings), told)
    if as_json:
        print_json({"pictures": number})
    else:
        print_plain(f"{number} pictures were put back.")


def _restore(settings: Settings, backup: BackupFile, *, yes: bool, as_json: bool) -> None:
    began = time.monotonic()

    def confirm(question: str) -> bool:
        return yes or typer.confirm(question, err=True)

    with _plainly():
        done = restore_stack(settings, backup, shown, confirm)
    seconds = time.monotonic() - began
    if as_json:
        _print_as_json(backup, done, seconds)
    else:
        _print(settings, backup, done, seconds)
    if done.found.door or done.found.ledger:
        raise typer.Exit(DISAGREE)


@contextmanager
def _plainly() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        # Its own text may hold the address with the password, and what was written.
        raise CommandError(
            f"the database cannot be filled ({type(error).__name__})", "is it up, and may it be written? Then try again"
        ) from error


def _print_as_json(backup: BackupFile, done: Restored, seconds: float) -> None:
    said = backup.manifest
    print_json(
        {
            "id": said.id,
            "taken_at": said.taken_at,
            "seconds": round(seconds, 3),
            "rows": {table.name: table.rows for table in said.tables},
            "pictures": done.pictures,
            "pictures_wait": done.pictures_wait,
            "not_put_back": [*said.left_out, *done.not_put_back],
            "door": done.found.door,
            "ledger": done.found.ledger,
        }
    )


def _print(settings: Settings, backup: BackupFile, done: Restored, seconds: float) -> None:
    said = backup.manifest
    print_plain(
        f"{said.rows:,} rows and {len(said.files)} files of {said.taken_at:%Y-%m-%d %H:%M:%S} UTC, {seconds:.0f} s"
    )
    for each in (*said.left_out, *done.not_put_back):
        print_plain(f"not restored: {each}")
    disagree = [*done.found.door, *done.found.ledger]
    for each in disagree[:_NAMED]:
        print_plain(f"disagrees: {each}")
    if len(disagree) > _NAMED:
        more = len(disagree) - _NAMED
        print_plain(f"and {more:,} more: fitmonitor reconcile and fitmonitor payments check name them, once it is up")
    if not disagree:
        print_plain("Visits, open visits and scans agree; so do memberships and their ledger.")
    print_plain("\nNext:")
    for step in _next(settings, backup, done):
        print_plain(f"  {step}")


def _next(settings: Settings, backup: BackupFile, done: Restored) -> Iterator[str]:
    if settings.profile is not Profile.PRODUCTION:
        yield f"fitmonitor up --profile {settings.profile}"
    if done.pictures_wait:
        yield "fitmonitor restore FILE --pictures    once it is up: the server of images keeps nothing while it is down"
    inside = next((table.rows for table in backup.manifest.tables if table.name == "open_visits"), 0)
    if inside:
        yield f"a head count at each gym               {inside} were inside then; who has left since is still counted"
    yield "fitmonitor payments reconcile --days N  with N back to the backup: what was paid since is booked, or named"
