"""Writes docs/configuration.md: every setting, from the class that reads it.

Run `python -m integrations.settings_page > docs/configuration.md`.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, get_args

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from integrations.settings import Profile, Settings

_HEAD = """# Configuration

Every setting is an environment variable, read by every command and every replica. `FITMONITOR_PROFILE` chooses
defaults only: each part can be replaced by its own setting. A local stack needs none of them; it writes what it has
chosen into `stack.json` of its data folder, where commands in another terminal find it.

- **S**: a secret. It is never logged and has no default that opens anything.
- **P**: production refuses to start without it, and names all that are missing.
- A path may be relative to where the command is called.
"""

_TABLE = "\n| variable | type | default | | meaning |\n|---|---|---|---|---|\n"

# Read by one command or function alone, hence no part of Settings.
ELSEWHERE: Mapping[str, str] = {
    "FITMONITOR_CACHE_DIR": "Where what is brought from outside is kept (Apache Kafka). `.cache` of a checkout, "
    "else `fitmonitor` in the user's cache folder.",
    "FITMONITOR_URL": "The installation that the command line asks; else the stack of the data folder.",
    "FITMONITOR_TOKEN": "The access token that the command line asks with. A secret.",
    "FITMONITOR_AS": "The address of the user as whom the command line asks, on a local stack.",
    "FITMONITOR_DEVICE": "The credential `<id>.<secret>` that `fitmonitor scan` scans with; else the demo's. A secret.",
    "FITMONITOR_USER_POOL_ID": "Of the Lambda functions, where the event does not name the pool.",
    "FITMONITOR_COGNITO_ENDPOINT_URL": "Of the Lambda functions: another address of Cognito, as in tests.",
    "FITMONITOR_STRIPE__WEBHOOK_URL": "Of the sandbox alone: where it sends events. A local stack sets it.",
}

_WORDS = {int: "whole number", float: "number", bool: "`true` or `false`", str: "text", Path: "path", SecretStr: "text"}


def page() -> str:
    """The whole file."""
    required = required_in_production()
    found = {name: _group(field) for name, field in Settings.model_fields.items()}
    alone = {name: field for name, field in Settings.model_fields.items() if found[name] is None}
    parts = [_HEAD, "\n## The stack\n", _TABLE, *_rows("FITMONITOR_", alone, required)]
    for name, group in found.items():
        if group is None:
            continue
        parts += [f"\n## {name.replace('_', ' ').capitalize()}\n\n{_text(group.__doc__)}\n", _TABLE]
        parts += _rows(f"FITMONITOR_{name.upper()}__", group.model_fields, required)
    parts.append("\n## Read elsewhere\n\n| variable | meaning |\n|---|---|\n")
    parts += [f"| `{name}` | {meaning} |\n" for name, meaning in ELSEWHERE.items()]
    return "".join(parts)


def required_in_production() -> Sequence[str]:
    """The variables without which the production profile does not start, as it says itself."""
    try:
        # With a prefix that nobody uses, so that this process's own environment says nothing.
        Settings(_env_prefix="FITMONITOR_SETTINGS_PAGE_", profile=Profile.PRODUCTION)
    except ValidationError as error:
        return error.errors()[0]["msg"].rpartition(": ")[2].split(", ")
    raise RuntimeError("production starts without any setting")


def _rows(prefix: str, fields: Mapping[str, FieldInfo], required: Sequence[str]) -> Iterator[str]:
    for name, field in fields.items():
        variable = prefix + name.upper()
        marks = ["S"] if field.annotation is SecretStr else []
        marks += ["P"] if variable in required else []
        kind = " ".join([_kind(field.annotation), *_bounds(field)])
        cells = [f"`{variable}`", kind, _default(field.default), " ".join(marks), _text(field.description)]
        yield f"| {' | '.join(cells)} |\n"


def _group(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _kind(annotation: Any) -> str:  # noqa: ANN401 - whatever a field is annotated with
    if annotation in _WORDS:
        return _WORDS[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    if named := [each for each in get_args(annotation) if each is not type(None)]:
        return "JSON list" if annotation == list[str] else _kind(named[0])
    raise TypeError(f"no words for the type {annotation}")


def _bounds(field: FieldInfo) -> Iterator[str]:
    for rule in field.metadata:
        match rule:
            case Ge(ge=low):
                yield f"≥ {low}"
            case Gt(gt=low):
                yield f"> {low}"
            case Le(le=high):
                yield f"≤ {high}"


def _default(value: Any) -> str:  # noqa: ANN401 - whatever a field may hold
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value == "":
        return ""
    shown = value.value if isinstance(value, Enum) else str(value).lower() if isinstance(value, bool) else value
    return f"`{shown}`"


def _text(words: str | None) -> str:
    return " ".join((words or "").split())


if __name__ == "__main__":
    sys.stdout.write(page())
