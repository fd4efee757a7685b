"""Deletes unused files of the image store: abandoned uploads, replaced and deleted pictures."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from domain.images.model import QUARANTINE, ImagePrefix, name_in
from domain.images.ports import ImageStore
from domain.paging import chunks

_AT_ONCE = 500

ShownOf = Callable[[ImagePrefix, Collection[str]], set[str]]
"""Returns which of the names are in use. Runs in its own transaction, which never waits for the image store."""


@dataclass(frozen=True, slots=True)
class SweepResult:
    """The result of a sweep. `keys` were deleted, or would be; `kept` counts old files that are in use."""

    keys: tuple[str, ...]
    kept: int


def sweep(
    images: ImageStore,
    shown_of: ShownOf,
    written_before: datetime,
    *,
    dry_run: bool,
    check: Callable[[], None] = lambda: None,
) -> SweepResult:
    """Delete files that were written before a moment and are not in use.

    Newer files stay, because their row may be about to be written. An upload of the same picture writes its files
    again, and a file that was written after it was listed stays.

    Args:
        dry_run: only report what would be deleted.
        check: called before each part of some hundred files; raises to stop the sweep.

    Raises:
        ImagesUnavailableError: the store does not answer; earlier deletions stay.
    """
    taken: list[str] = []
    for keys in chunks(images.keys(QUARANTINE, written_before), _AT_ONCE):
        check()
        taken += [key for key in keys if dry_run or images.delete(key, written_before)]
    kept = 0
    for prefix in ImagePrefix:
        for keys in chunks(images.keys(prefix, written_before), _AT_ONCE):
            check()
            shown = shown_of(prefix, {name_in(prefix, key) for key in keys})
            for key in keys:
                if name_in(prefix, key) not in shown and (dry_run or images.delete(key, written_before)):
                    taken.append(key)
                else:
                    kept += 1
    return SweepResult(tuple(taken), kept)
