"""Takes away what lies in the store of images and nobody shows: given up uploads, replaced and deleted pictures."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from domain.images.model import QUARANTINE, Shelf, name_in
from domain.images.ports import ImageStore
from domain.paging import parts

_AT_ONCE = 500

ShownOf = Callable[[Shelf, Collection[str]], set[str]]
"""Those names of a shelf that are shown; asked in a transaction of its own, and no store is waited for meanwhile."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found. `keys` were taken away, or would be; `kept` counts what is old enough but shown."""

    keys: tuple[str, ...]
    kept: int


def sweep(
    images: ImageStore,
    shown_of: ShownOf,
    written_before: datetime,
    *,
    dry_run: bool,
    check: Callable[[], None] = lambda: None,
) -> Swept:
    """Take away what was written before then and is shown by nobody.

    What is younger stays: its row may be about to be written. Whoever uploads a picture again writes its files again,
    and a file that was written since it was listed is left alone.

    Args:
        shown_of: see there.
        dry_run: only say what would be taken away.
        check: called before some hundred files are taken away; raises where they must not be.

    Raises:
        ImagesAwayError: the store cannot be had; what was taken away until then is gone.
    """
    taken: list[str] = []
    for keys in parts(images.keys(QUARANTINE, written_before), _AT_ONCE):
        check()
        taken += [key for key in keys if dry_run or images.delete(key, written_before)]
    kept = 0
    for shelf in Shelf:
        for keys in parts(images.keys(shelf, written_before), _AT_ONCE):
            check()
            shown = shown_of(shelf, {name_in(shelf, key) for key in keys})
            for key in keys:
                if name_in(shelf, key) not in shown and (dry_run or images.delete(key, written_before)):
                    taken.append(key)
                else:
                    kept += 1
    return Swept(tuple(taken), kept)
