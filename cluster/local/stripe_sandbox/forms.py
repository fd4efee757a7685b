"""Stripe's way to write nested parameters into a form: `line_items[0][price_data][currency]=eur`."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

_PART = re.compile(r"\[([^\]]*)\]")


def decode_form(body: bytes | str) -> dict[str, Any]:
    """A form as nested dictionaries and lists."""
    text = body.decode("utf-8") if isinstance(body, bytes) else body
    return nested(parse_qsl(text, keep_blank_values=True))


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Pairs of nested names and values; what is numbered from 0, or not numbered at all, is a list."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        head = name.partition("[")[0]
        path = [head, *_PART.findall(name)]
        here = root
        for step, following in zip(path, [*path[1:], None], strict=True):
            key = step or str(len(here))
            if following is None:
                here[key] = value
            else:
                here = here.setdefault(key, {})
    return {name: _lists(value) for name, value in root.items()}


def _lists(value: Any) -> Any:  # noqa: ANN401 - parameters are what they are
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(each) for name, each in value.items()}
    if inner and sorted(inner) == sorted(str(number) for number in range(len(inner))):
        return [inner[str(number)] for number in range(len(inner))]
    return inner
