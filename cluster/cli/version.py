"""The installed version of FIT Monitor, and the commit that it was built or runs from."""

import json
import subprocess
from importlib.metadata import distribution
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2]


def version_line() -> str:
    """What `fitmonitor --version` prints, as `fitmonitor 0.1.0 (commit 289cf5471f55)`; without a commit if unknown."""
    installed = distribution("fitmonitor")
    commit = _commit_of_installation(installed.read_text("direct_url.json")) or _commit_of_checkout()
    return f"fitmonitor {installed.version}" + (f" (commit {commit[:12]})" if commit else "")


def _commit_of_installation(direct_url: str | None) -> str:
    """The commit of a package that pip installed from a repository.

    Args:
        direct_url: https://packaging.python.org/specifications/direct-url/
    """
    found: str = json.loads(direct_url or "{}").get("vcs_info", {}).get("commit_id", "")
    return found


def _commit_of_checkout() -> str:
    """The commit of the checkout that this module is in."""
    if not (_CHECKOUT / ".git").exists():
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - composed here
            ["git", "-C", str(_CHECKOUT), "rev-parse", "HEAD"],  # noqa: S607 - whichever git is installed
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
