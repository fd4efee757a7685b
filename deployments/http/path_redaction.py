"""Hides the variable parts of paths in logs, because people type names and addresses into paths."""

import re
from collections.abc import Iterable

_ID = re.compile(r"(?:\d{1,9}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-f]{64})(?:\.[a-z]{3})?")
_HIDDEN = "…"


def words_of(paths: Iterable[str]) -> frozenset[str]:
    """The fixed parts of an application's paths, as in `/users/{user_id}`."""
    return frozenset(part for path in paths for part in path.split("/") if "{" not in part)


def logged_path(path: str, words: frozenset[str]) -> str:
    """The path with fixed parts and ids; everything else is hidden."""
    return "/".join(part if not part or part in words or _ID.fullmatch(part) else _HIDDEN for part in path.split("/"))
