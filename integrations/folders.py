"""Folders of this machine."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Have on disk what was last done to the names in a folder: a new file's name is in it, not in the file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
