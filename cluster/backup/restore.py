"""Restores a backup into an empty stack that is stopped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cluster.backup.load_rows import Disagreements, load
from cluster.backup.local_files import count_local_data, restore_files
from cluster.backup.pictures import pictures_in, restore_pictures
from cluster.backup.progress import ProgressBar
from cluster.backup.reader import BackupFile
from cluster.backup.schema import (
    add_restore_mark,
    is_half_filled,
    refuse_unknown_revision,
    remove_restore_mark,
    row_counts,
)
from cluster.backup.snapshot import slow_store
from cluster.backup.stopped_database import stopped_database
from cluster.errors import CommandError
from domain.clock import system_clock
from domain.unit_of_work import Store
from integrations.images.store import open_image_store
from integrations.settings import Profile, Settings

Confirm = Callable[[str], bool]
"""Asks whether data may be deleted."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of a restore.

    Args:
        disagreements: in the restored data.
        pictures: number of pictures restored.
        pictures_wait: whether pictures must still be restored, once the stack runs.
        not_restored: what this stack has no place for, in sentences.
    """

    disagreements: Disagreements
    pictures: int
    pictures_wait: bool
    not_restored: Sequence[str]


def verify_backup(backup: BackupFile, progress_bar: ProgressBar) -> None:
    """Read all of a backup, and change nothing.

    Raises:
        CommandError: it is damaged, or too new.
    """
    manifest = backup.manifest
    refuse_unknown_revision(manifest.revision, manifest.version)
    with progress_bar("check", manifest.rows + len(manifest.files)) as progress:
        backup.verify(progress)


def restore_backup(settings: Settings, backup: BackupFile, progress_bar: ProgressBar, confirm: Confirm) -> Restored:
    """Restore a backup into an empty stack: files first, then rows.

    If it is interrupted, the mark of a restore stays in the database, and no stack starts with it. The next restore
    finds the mark and starts over.

    Args:
        settings: of the stack, which is stopped.
        backup: verified as a whole before anything is written.
        progress_bar: shows the progress.
        confirm: asked before the remains of an interrupted restore are deleted.

    Raises:
        CommandError: the backup is damaged or too new, or the stack is running or not empty.
        sqlalchemy.exc.SQLAlchemyError: the database is unavailable.
    """
    verify_backup(backup, progress_bar)
    with stopped_database(settings) as url, slow_store(url) as store:
        _refuse_existing_data(settings, store, confirm)
        add_restore_mark(store, backup.manifest.id, system_clock())
        not_restored = restore_files(settings, backup)
        pictures = pictures_in(backup)
        wait = bool(pictures) and not keeps_pictures(settings)
        with progress_bar("restore", backup.manifest.rows + len(pictures)) as progress:
            number = 0 if wait else restore_pictures(backup, open_image_store(settings), progress)
            disagreements = load(store, backup, progress)
        remove_restore_mark(store)
    return Restored(disagreements, number, wait, not_restored)


def keeps_pictures(settings: Settings) -> bool:
    """Whether pictures that are restored now stay. A full stack's own image server loses all when it stops."""
    return settings.profile is not Profile.FULL or bool(settings.images.bucket)


def _refuse_existing_data(settings: Settings, store: Store, confirm: Confirm) -> None:
    with store.reading() as connection:
        interrupted = is_half_filled(connection)
        existing = {**row_counts(connection), **count_local_data(settings)}
    if interrupted:
        question = f"A restore was interrupted here and left {_listed(existing)}. Delete that and start over?"
        if existing and not confirm(question):
            raise CommandError("nothing was changed", "look at the data, then restore again")
        return
    if existing:
        hint = (
            "set FITMONITOR_DATABASE__URL to an empty database"
            if settings.profile is Profile.PRODUCTION
            else f"set FITMONITOR_DATA_DIR to a new folder, or move {settings.data_dir} away"
        )
        raise CommandError(f"this stack is not empty: it has {_listed(existing)}", hint)


def _listed(existing: Mapping[str, int]) -> str:
    return ", ".join(f"{rows} {name}" for name, rows in existing.items())
