"""Flushes a folder to disk."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Flush a folder to disk. A new file's name is stored in the folder, not in the file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
