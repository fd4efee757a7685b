"""Stripe's way to send nested parameters: `line_items[0][price_data][currency]=eur`."""

import re
from collections.abc import Sequence
from typing import TypeAlias
from urllib.parse import parse_qsl

from cluster.local.stripe_sandbox.errors import InvalidParameterError, SandboxError

Form: TypeAlias = dict[str, "str | Form"]

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")
_DEEPEST = 8
_MOST = 1000


def decode(encoded: str) -> Form:
    """Read form-encoded parameters.

    Args:
        encoded: a query or a body.

    Returns:
        Nested by name; a list is keyed by its indices, `"0"`, `"1"`, ….

    Raises:
        SandboxError: they are no form, or a name is used in two ways.
    """
    form: Form = {}
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=_MOST, errors="strict")
    except ValueError:
        raise SandboxError("The parameters cannot be read.", began=False) from None
    for name, value in pairs:
        _put(form, _path(name), value, name)
    return form


def _path(name: str) -> Sequence[str]:
    match = _NAME.fullmatch(name)
    path = [match[1], *_PART.findall(match[2])] if match else []
    if not path or len(path) > _DEEPEST:
        raise InvalidParameterError(f"Invalid parameter name: {name[:100]}", name[:100], "parameter_unknown")
    return path


def _put(form: Form, path: Sequence[str], value: str, name: str) -> None:
    level = form
    for part in path[:-1]:
        below = level.setdefault(part or str(len(level)), {})
        if isinstance(below, str):
            raise InvalidParameterError(f"Invalid parameter: {name}", name)
        level = below
    last = path[-1] or str(len(level))
    if last in level:
        raise InvalidParameterError(f"Parameter given more than once: {name}", name)
    level[last] = value
