"""Who is named by the logs of a stack that was stopped."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

NEVER_KEPT = "nowhere.example"
"""The domain of addresses that nobody ever signs in by; so is `WRITTEN_NAME` nobody's name."""
WRITTEN_NAME = "\u00d6zlem Nirgendwo"
_IS_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # what somebody without a name is called
_SHORTEST = 6  # letters: a shorter name is found in words that name nobody


def named_in_logs(data_dir: Path) -> list[str]:
    """Each file below the stack's `logs` with the address or name that it has, of those that the stack knows."""
    people = sorted(set(_forms(_people(data_dir))))
    found = []
    for file in sorted((data_dir / "logs").rglob("*")):
        if file.is_file():
            content = file.read_text(encoding="utf-8", errors="replace").casefold()
            found += [f"{file.relative_to(data_dir)}: {word}" for word in people if word in content]
    return found


def _people(data_dir: Path) -> Iterator[str]:
    yield from (f"@{NEVER_KEPT}", WRITTEN_NAME)
    for file in data_dir.rglob("*.sqlite3"):
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            for table in tables & {"users", "accounts"}:
                for email, name in connection.execute(f"SELECT email, name FROM {table}"):  # noqa: S608 - one of two
                    if email:
                        yield "@" + email.rpartition("@")[2]
                    if len(name) >= _SHORTEST and not _IS_ID.fullmatch(name):
                        yield name


def _forms(words: Iterator[str]) -> Iterator[str]:
    """As they are, as JSON escapes them, and as addresses of the web do."""
    for word in words:
        yield from (form.casefold() for form in (word, json.dumps(word)[1:-1], quote(word, safe="@")))
        yield quote(word).casefold()
