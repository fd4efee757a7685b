"""Where the stack keeps its things."""

import hashlib
import os
import shutil
import stat
from pathlib import Path

from cluster.errors import CommandError

PROJECT = Path(__file__).resolve().parents[2]
_TEMPORARY = Path("/tmp")  # noqa: S108 - its folder below is checked to be ours alone


def is_checkout() -> bool:
    """Whether this code runs from a checkout rather than from an installed wheel."""
    return (PROJECT / "pyproject.toml").is_file()


def cache_dir() -> Path:
    """`FITMONITOR_CACHE_DIR`; else `.cache` of the checkout; else the user's cache folder."""
    if chosen := os.environ.get("FITMONITOR_CACHE_DIR"):
        return Path(chosen).absolute()
    if is_checkout():
        return PROJECT / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fitmonitor"


def serve_config_file() -> Path:
    """`serve_config.yaml`: at the top of the checkout, inside the package once installed."""
    return PROJECT / "serve_config.yaml" if is_checkout() else PROJECT / "cluster" / "serve_config.yaml"


def run_dir(data_dir: Path) -> Path:
    """The short folder of what lives only while the stack runs: Ray's session, HAProxy's files, sockets.

    Not inside the data folder, because the path of a Unix socket must be shorter than 108 bytes and Ray and
    HAProxy add up to 80 of their own.
    """
    mark = hashlib.sha256(f"{os.geteuid()} {data_dir.resolve()}".encode()).hexdigest()[:10]
    return _TEMPORARY / f"fm-{mark}"


def make_run_dir(data_dir: Path) -> Path:
    """Make the stack's run folder anew, empty and closed to others.

    Raises:
        CommandError: when somebody else has put something in its place.
    """
    folder = run_dir(data_dir)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not ours or found.st_mode & 0o077:
        raise CommandError(f"{folder} is not ours alone", f"remove {folder}")
    return folder
