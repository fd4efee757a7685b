"""Runs the commands of one document as a reader would: in one shell, from the first block to the last."""

import os
import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.documented.pages import PROJECT, Block, Page, lines_to_run

# Where every document says that the stack is; the one of the tests is elsewhere.
ADDRESS = "http://127.0.0.1:8000"
_BEGIN = "#> "
# An answer with an error is a failure here: who reads a document sees it, a test does not.
_PRELUDE = """set -euo pipefail
curl() { command curl --fail-with-body --max-time 60 "$@"; }
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a document's commands."""

    code: int
    said: str  # what they printed, each block under a line that names it

    @property
    def last(self) -> str:
        """The block that was under way at the end, and what it printed."""
        return self.said[max(self.said.rfind(_BEGIN), 0) :][-4000:]


def script(page: Page, address: str, left_out: Collection[str]) -> str:
    """One Bash script of all blocks.

    Args:
        page: the document.
        address: where the stack answers, in place of the one that documents name.
        left_out: commands that somebody else runs, as they stand.
    """
    parts = [_PRELUDE]
    for block in page.commands:
        text = "\n".join(_lines(block, left_out))
        parts += [f"echo '{_BEGIN}{page.name}:{block.line}'", text.replace(ADDRESS, address)]
    return "\n".join(parts) + "\n"


def run(
    page: Page, folder: Path, address: str, environment: Mapping[str, str], left_out: Collection[str], within_s: float
) -> Ran:
    """Run a document's commands.

    Args:
        page: the document.
        folder: an empty one; what a checkout has is put there as links, and the stack's data as `.data`.
        address: where the stack answers.
        environment: of a caller who has the stack's settings, `FITMONITOR_DATA_DIR` among them.
        left_out: commands that somebody else runs.
        within_s: all of them must have ended by then.
    """
    _lay_out(folder, Path(environment["FITMONITOR_DATA_DIR"]))
    programs = Path(sys.executable).parent
    path = os.pathsep.join([str(programs), environment.get("PATH", os.defpath)])
    done = subprocess.run(
        ["bash", "-c", script(page, address, left_out)],
        cwd=folder,
        env={**environment, "PATH": path, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=within_s,
        check=False,
    )
    return Ran(done.returncode, done.stdout)


def _lines(block: Block, left_out: Collection[str]) -> Iterator[str]:
    """The block's lines, those commands made into notes that are not run here."""
    for line in block.text.splitlines():
        command = re.sub(r"\s{2,}# .*$", "", line).strip()
        yield f": not run here: {command!r}" if command in left_out else line


def _lay_out(folder: Path, data_dir: Path) -> None:
    """What a reader's folder looks like: a checkout that is set up, with the data of its stack."""
    for there in PROJECT.iterdir():
        if not there.name.startswith("."):
            (folder / there.name).symlink_to(there)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / ".data").symlink_to(data_dir)


def unlisted(page: Page, left_out: Collection[str]) -> Iterator[str]:
    """Commands that cannot be run as they stand, and of which nobody said who runs them."""
    for block in page.commands:
        for command in lines_to_run(block):
            if command not in left_out and re.search(r"…|<[A-Z_ ]+>", command):
                yield f"{page.name}:{block.line}: {command}"
