"""Reads nested parameters as Stripe's SDK encodes them: `line_items[0][price_data][currency]=eur`."""

import re
from typing import TypeAlias
from urllib.parse import parse_qsl

from cluster.local.stripe_sandbox.errors import SandboxError

Form: TypeAlias = dict[str, "str | Form"]

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")
_MAX_DEPTH = 8
_MAX_FIELDS = 1000


def decode(encoded: str) -> Form:
    """Decode a query string or a form body.

    Returns:
        Nested dictionaries. The keys of a list are its indices: `"0"`, `"1"`, ….

    Raises:
        SandboxError: the text is not a form, or a name is used twice.
    """
    form: Form = {}
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise SandboxError("The parameters cannot be decoded.") from None
    for name, value in pairs:
        _put(form, name, value)
    return form


def _put(form: Form, name: str, value: str) -> None:
    match = _NAME.fullmatch(name)
    path = [match[1], *_PART.findall(match[2])] if match else []
    if not path or len(path) > _MAX_DEPTH:
        raise SandboxError(f"Invalid parameter name: {name[:100]}", code="parameter_unknown", param=name[:100])
    for part in path[:-1]:
        below = form.setdefault(part or str(len(form)), {})
        if isinstance(below, str):
            raise SandboxError(f"Invalid parameter: {name}", param=name)
        form = below
    last = path[-1] or str(len(form))
    if last in form:
        raise SandboxError(f"Parameter given more than once: {name}", param=name)
    form[last] = value
