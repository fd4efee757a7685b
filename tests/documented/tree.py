"""Whether a command that a document speaks of is one that `fitmonitor` has."""

import re
import shlex
from collections.abc import Sequence
from functools import cache
from typing import Any

import typer

from cluster.cli.main import COMMANDS, application
from tests.documented.pages import PROJECT

_END = {"|", ";", "&&", ">", "<", "#", "…"}


def wrong_with(spoken: str) -> str:
    """Why `fitmonitor …` or `make …` is no command, or nothing when it is one."""
    words = _words(spoken)
    if words[0] == "make":
        return _wrong_target(words[1:])
    return _wrong_command(words[1:])


def _words(spoken: str) -> Sequence[str]:
    try:
        words = shlex.split(spoken, comments=True)
    except ValueError:
        words = spoken.split()
    end = next((number for number, word in enumerate(words) if word in _END), len(words))
    return words[:end]


def _wrong_target(words: Sequence[str]) -> str:
    targets = re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = next((word for word in words if "=" not in word), None)
    return "" if named is None or named in targets else f"there is no target {named}"


def _wrong_command(words: Sequence[str]) -> str:
    names = [entry.name for entry in COMMANDS]
    wanted = next((word for word in words if not word.startswith("-")), "")
    if wanted and wanted not in names:
        return "" if wanted == "COMMAND" else f"there is no command {wanted}"
    command = _root(wanted)
    known = {"--help", "--verbose"}
    for position, word in enumerate(words):
        known |= {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        if word.startswith("-") and word != "-":
            if word.partition("=")[0] not in known:
                return f"{' '.join(words[:position])} has no option {word}"
        elif (group := getattr(command, "commands", None)) is not None:
            if word not in group:
                return f"{' '.join(words[:position])} has no command {word}"
            command = group[word]
    return ""


@cache
def _root(wanted: str) -> Any:  # noqa: ANN401 - Click's command, which Typer carries as a part that is its own
    return typer.main.get_command(application(wanted or None))
