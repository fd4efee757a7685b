"""Restores a backup into an empty stack that is down."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from cluster.backup.filling import Found, fill
from cluster.backup.local_files import kept_accounts, put_files_back
from cluster.backup.pictures import pictures_in, put_pictures_back
from cluster.backup.reading import BackupFile, Told
from cluster.backup.resting import resting_store
from cluster.backup.schema import is_half_filled, mark, occupied, refuse_unknown, unmark
from cluster.backup.snapshot import patient_store
from cluster.errors import CommandError
from domain.clock import system_clock
from domain.unit_of_work import Store
from integrations.images.store import open_image_store
from integrations.settings import Profile, Settings

Confirm = Callable[[str], bool]
"""Asks whether something may be destroyed."""

Show = Callable[[str, int], AbstractContextManager[Told]]
"""Shows what is under way, and of how much."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    Args:
        found: whether the rows agree with each other.
        pictures: how many were put back.
        pictures_wait: whether they are still to be put into the running stack.
        not_put_back: what this stack has no place for, in sentences.
    """

    found: Found
    pictures: int
    pictures_wait: bool
    not_put_back: Sequence[str]


def check(backup: BackupFile, show: Show) -> None:
    """Read all of a backup, and touch nothing.

    Raises:
        CommandError: it is damaged, or too new.
    """
    said = backup.manifest
    refuse_unknown(said.revision, said.version)
    with show("check", said.rows + len(said.files)) as told:
        backup.check(told)


def restore(settings: Settings, backup: BackupFile, show: Show, confirm: Confirm) -> Restored:
    """Put a backup into an empty stack: files first, then rows.

    Whatever ends it before leaves the mark of a restore under way in the store, with which nothing starts. The next
    restore knows the mark and begins anew.

    Args:
        settings: of the stack, which is down.
        backup: is checked as a whole before anything is written.
        show: of progress.
        confirm: asked before what a restore that was cut short has left is taken away.

    Raises:
        CommandError: the backup is damaged or too new, or the stack is up or not empty.
        sqlalchemy.exc.SQLAlchemyError: the database cannot be had.
    """
    check(backup, show)
    with resting_store(settings) as url, patient_store(url) as store:
        _refuse_occupied(settings, store, confirm)
        mark(store, backup.manifest.id, system_clock())
        homeless = put_files_back(settings, backup)
        pictures = pictures_in(backup)
        waits = bool(pictures) and not keeps_pictures(settings)
        with show("restore", backup.manifest.rows + len(pictures)) as told:
            put = 0 if waits else put_pictures_back(backup, open_image_store(settings), told)
            found = fill(store, backup, told)
        unmark(store)
    return Restored(found, put, waits, homeless)


def keeps_pictures(settings: Settings) -> bool:
    """Whether pictures that are put back now stay: a full stack's own server of images forgets all when it ends."""
    return settings.profile is not Profile.FULL or bool(settings.images.bucket)


def _refuse_occupied(settings: Settings, store: Store, confirm: Confirm) -> None:
    with store.reading() as connection:
        half = is_half_filled(connection)
        there = {**occupied(connection), **kept_accounts(settings)}
    if half:
        question = f"A restore was cut short here and left {_listed(there)}. Take that away and begin anew?"
        if there and not confirm(question):
            raise CommandError("nothing was changed", "look at what is there first")
        return
    if there:
        where = (
            "name an empty database in FITMONITOR_DATABASE__URL"
            if settings.profile is Profile.PRODUCTION
            else f"set FITMONITOR_DATA_DIR to a new folder, or move {settings.data_dir} away"
        )
        raise CommandError(f"only an empty stack is filled, and here are {_listed(there)}", where)


def _listed(there: Mapping[str, int]) -> str:
    return ", ".join(f"{rows} {name}" for name, rows in there.items())
