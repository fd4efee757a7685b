"""Writes docs/configuration.md from the settings classes.

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

from integrations.deprecated_settings import DEPRECATED_SETTINGS
from integrations.settings import Profile, Settings

_HEAD = """# Configuration

Every setting is an environment variable. All commands and all replicas read them. `FITMONITOR_PROFILE` chooses defaults
only; each part can be replaced by its own setting. A local stack needs no settings. It writes its own values to
`stack.json` in its data folder, so that commands in other terminals find the stack.

- **S**: a secret. It is never logged. It has no insecure default.
- **P**: required in production.
- Relative paths start at the current folder of the command.
- A deprecated name stays valid for one version. Commands, logs and `fitmonitor doctor` name each that is in use. If
  both names of a setting have a value, the values must be equal.
"""

_TABLE = "\n| variable | type | default | | meaning |\n|---|---|---|---|---|\n"

# Each is read by a single command or function and is therefore not in `Settings`.
OTHER_VARIABLES: Mapping[str, str] = {
    "FITMONITOR_CACHE_DIR": "Cache for downloads (Apache Kafka). Default: `.cache` in a checkout, otherwise "
    "`fitmonitor` in the user's cache folder.",
    "FITMONITOR_URL": "URL of the installation that the command line calls. Default: the stack of the data folder.",
    "FITMONITOR_TOKEN": "Access token of the command line. A secret.",
    "FITMONITOR_AS": "Mail address of the user that the command line acts as, on a local stack.",
    "FITMONITOR_DEVICE": "Device credential `<id>.<secret>` of `fitmonitor scan`. Default: the demo's. A secret.",
    "FITMONITOR_USER_POOL_ID": "Lambda functions: user pool, if the event does not name it.",
    "FITMONITOR_COGNITO_ENDPOINT_URL": "Lambda functions: alternative endpoint of Cognito, for tests.",
    "FITMONITOR_STRIPE__WEBHOOK_URL": "Stripe sandbox: URL for its webhooks. A local stack sets it.",
}

_WORDS = {int: "whole number", float: "number", bool: "`true` or `false`", str: "text", Path: "path", SecretStr: "text"}


def page() -> str:
    """The content of docs/configuration.md."""
    required = required_in_production()
    found = {name: _group(field) for name, field in Settings.model_fields.items()}
    alone = {name: field for name, field in Settings.model_fields.items() if found[name] is None}
    parts = [_HEAD, "\n## The stack\n", _TABLE, *_rows("FITMONITOR_", alone, required)]
    for name, group in found.items():
        if group is None:
            continue
        parts += [f"\n## {name.replace('_', ' ').capitalize()}\n\n{_text(group.__doc__)}\n", _TABLE]
        parts += _rows(f"FITMONITOR_{name.upper()}__", group.model_fields, required)
    parts += _removed()
    parts.append("\n## Other variables\n\n| variable | meaning |\n|---|---|\n")
    parts += [f"| `{name}` | {meaning} |\n" for name, meaning in OTHER_VARIABLES.items()]
    return "".join(parts)


def required_in_production() -> Sequence[str]:
    """The variables that the production profile requires."""
    try:
        # An unused prefix hides the environment of this process.
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
        meaning = [_text(field.description), *_deprecated_names(variable)]
        cells = [f"`{variable}`", kind, _default(field.default), " ".join(marks), " ".join(meaning)]
        yield f"| {' | '.join(cells)} |\n"


def _deprecated_names(variable: str) -> Iterator[str]:
    for setting in DEPRECATED_SETTINGS:
        if setting.replacement_variable == variable:
            yield f"Deprecated name: `{setting.variable}`."


def _removed() -> Iterator[str]:
    removed = [setting.variable for setting in DEPRECATED_SETTINGS if setting.replacement is None]
    if removed:
        yield "\n## Removed variables\n\nThey are accepted for one version and have no effect.\n\n"
        yield from (f"- `{variable}`\n" for variable in removed)


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
