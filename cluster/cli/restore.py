"""`fitmonitor restore`: loads a backup into an empty stack, or verifies it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from cluster.backup.pictures import pictures_in, restore_pictures
from cluster.backup.progress import progress_bar
from cluster.backup.reader import BackupFile, opened_backup
from cluster.backup.restore import Restored, keeps_pictures, restore_backup, verify_backup
from cluster.cli.output import local_time, print_json, print_plain
from cluster.errors import CommandError, ExitCode
from cluster.settings_file import stack_settings
from integrations.images.store import open_image_store
from integrations.settings import Profile, Settings

_LISTED = 20


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `fitmonitor backup` wrote.")],
    profile: Annotated[
        Profile | None, typer.Option(help="The profile to restore into; the backup may come from another.")
    ] = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Only verify the file; change nothing.")] = False,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Only restore the pictures, into the running stack.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete the remains of an interrupted restore without asking.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Load a backup into an empty stack that is stopped, then check that everything in it agrees.

    The whole file is verified before anything is written. A stack that has data is refused. A stack whose restore was
    interrupted cannot start; run the command again. Exit code 3: visits, scans, memberships or the ledger disagree.

    Example: FITMONITOR_DATA_DIR=.restored fitmonitor restore /media/backups/monday.fitmonitor
    """
    if check and pictures:
        raise typer.BadParameter("--check and --pictures exclude each other")
    if profile is not None:
        os.environ["FITMONITOR_PROFILE"] = profile
    with opened_backup(file) as backup:
        if check:
            _check(file, backup, as_json=as_json)
        elif pictures:
            _restore_pictures(backup, as_json=as_json)
        else:
            _restore(Settings(), backup, yes=yes, as_json=as_json)


def _check(file: Path, backup: BackupFile, *, as_json: bool) -> None:
    manifest = backup.manifest
    verify_backup(backup, progress_bar)
    if as_json:
        rows = {table.name: table.rows for table in manifest.tables}
        print_json(
            {"good": True, "id": manifest.id, "taken_at": manifest.taken_at, "rows": rows, "files": len(manifest.files)}
        )
    else:
        print_plain(
            f"{file} is valid: {manifest.rows:,} rows and {len(manifest.files)} files, taken at "
            f"{local_time(manifest.taken_at, seconds=True)} by version {manifest.version}, profile {manifest.profile}."
        )


def _restore_pictures(backup: BackupFile, *, as_json: bool) -> None:
    settings = stack_settings()
    if not keeps_pictures(settings):
        raise CommandError("this stack is not running", "start it with `fitmonitor up`, then restore the pictures")
    with progress_bar("pictures", len(pictures_in(backup))) as progress:
        number = restore_pictures(backup, open_image_store(settings), progress)
    if as_json:
        print_json({"pictures": number})
    else:
        print_plain(f"{number} pictures were restored.")


def _restore(settings: Settings, backup: BackupFile, *, yes: bool, as_json: bool) -> None:
    began = time.monotonic()

    def confirm(question: str) -> bool:
        return yes or typer.confirm(question, err=True)

    with _database_errors():
        done = restore_backup(settings, backup, progress_bar, confirm)
    seconds = time.monotonic() - began
    if as_json:
        _print_as_json(backup, done, seconds)
    else:
        _print(settings, backup, done, seconds)
    if done.disagreements.door or done.disagreements.ledger:
        raise typer.Exit(ExitCode.ATTENTION)


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        # Its text may contain the database URL with the password, and rows.
        raise CommandError(
            f"the database cannot be written ({type(error).__name__})",
            "check that it runs and that the user may write to it, then try again",
        ) from error


def _print_as_json(backup: BackupFile, done: Restored, seconds: float) -> None:
    manifest = backup.manifest
    print_json(
        {
            "id": manifest.id,
            "taken_at": manifest.taken_at,
            "seconds": round(seconds, 3),
            "rows": {table.name: table.rows for table in manifest.tables},
            "pictures": done.pictures,
            "pictures_wait": done.pictures_wait,
            "not_put_back": [*manifest.left_out, *done.not_restored],
            "door": done.disagreements.door,
            "ledger": done.disagreements.ledger,
        }
    )


def _print(settings: Settings, backup: BackupFile, done: Restored, seconds: float) -> None:
    manifest = backup.manifest
    taken_at = local_time(manifest.taken_at, seconds=True)
    print_plain(f"{manifest.rows:,} rows and {len(manifest.files)} files of {taken_at} restored in {seconds:.0f} s")
    for each in (*manifest.left_out, *done.not_restored):
        print_plain(f"not restored: {each}")
    disagreements = [*done.disagreements.door, *done.disagreements.ledger]
    for each in disagreements[:_LISTED]:
        print_plain(f"disagrees: {each}")
    if len(disagreements) > _LISTED:
        print_plain(
            f"and {len(disagreements) - _LISTED:,} more: start the stack, then run `fitmonitor reconcile` and "
            "`fitmonitor payments check`"
        )
    if not disagreements:
        print_plain("Visits, open visits and scans agree, and so do memberships and their ledger.")
    print_plain("\nNext:")
    for step in _next_steps(settings, backup, done):
        print_plain(f"  {step}")


def _next_steps(settings: Settings, backup: BackupFile, done: Restored) -> Iterator[str]:
    if settings.profile is not Profile.PRODUCTION:
        yield f"fitmonitor up --profile {settings.profile}"
    if done.pictures_wait:
        yield "fitmonitor restore FILE --pictures      once it runs: its image server keeps nothing while it is stopped"
    inside = next((table.rows for table in backup.manifest.tables if table.name == "open_visits"), 0)
    if inside:
        yield f"a head count at each gym                {inside} were inside then, some of whom have left since"
    yield "fitmonitor payments reconcile --days N  N reaches back to the backup: books or reports payments made since"
