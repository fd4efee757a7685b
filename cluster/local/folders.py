"""The folders and files that a stack uses."""

import hashlib
import os
import shutil
import stat
from pathlib import Path

from cluster.errors import CommandError

PROJECT = Path(__file__).resolve().parents[2]
_TEMPORARY = Path("/tmp")  # noqa: S108 - our folder in it is checked


def is_checkout() -> bool:
    """Return whether this code runs from a checkout; otherwise from an installed wheel."""
    return (PROJECT / "pyproject.toml").is_file()


def cache_dir() -> Path:
    """Return `FITMONITOR_CACHE_DIR` (default: `.cache` of the checkout, or the cache folder of the user)."""
    if chosen := os.environ.get("FITMONITOR_CACHE_DIR"):
        return Path(chosen).absolute()
    if is_checkout():
        return PROJECT / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fitmonitor"


def serve_config_file() -> Path:
    """Return the path of the shipped `serve_config.yaml`."""
    return PROJECT / "serve_config.yaml" if is_checkout() else PROJECT / "cluster" / "serve_config.yaml"


def run_dir(data_dir: Path) -> Path:
    """Return the folder of files that exist only while the stack runs: Ray's session, HAProxy's files, sockets.

    It is not inside the data folder because the path of a Unix socket must be shorter than 108 bytes, and Ray and
    HAProxy add up to 80.
    """
    digest = hashlib.sha256(f"{os.geteuid()} {data_dir.resolve()}".encode()).hexdigest()[:10]
    return _TEMPORARY / f"fm-{digest}"


def make_run_dir(data_dir: Path) -> Path:
    """Create an empty run folder that only we can open.

    Raises:
        CommandError: another user has put something in its place.
    """
    folder = run_dir(data_dir)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not ours or found.st_mode & 0o077:
        raise CommandError(f"{folder} is not a folder that only this user can open", f"remove {folder}")
    return folder
