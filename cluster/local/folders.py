"""Where the stack keeps what can be brought again."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


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
