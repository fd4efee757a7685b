"""Invalid fields of bodies that msgspec decodes, in the words in which pydantic reports them on all other calls."""

import re
from typing import Any

import msgspec
from msgspec import inspect

from deployments.http.problems import Fault

_AT = " - at `$."
_MISSING = re.compile(r"Object missing required field `(.+)`")
# msgspec's message and the sentence for it. The first match counts.
_SENTENCES = (
    (re.compile(r"Expected `str` of length <= (\d+)"), "String should have at most {} characters"),
    (re.compile(r"Expected `str` matching regex '(.*)'"), "String should match pattern '{}'"),
    (re.compile(r"Expected `str`"), "Input should be a valid string"),
    (re.compile(r"Expected `uuid|Invalid UUID"), "Input should be a valid UUID"),
    (re.compile(r"Expected `datetime` with a timezone"), "Input should have timezone info"),
    (re.compile(r"Expected `datetime|Invalid RFC3339"), "Input should be a valid datetime"),
    (re.compile(r"Expected `object`"), "Input should be an object"),
)


def fault_of(error: msgspec.ValidationError, kind: type[msgspec.Struct]) -> Fault:
    """The field that an error is about, and what is wrong with it.

    Args:
        error: raised while decoding.
        kind: what was decoded.

    Returns:
        The fault. Its field is empty if the value is not an object.
    """
    message, _, path = str(error).partition(_AT)
    field = path.rstrip("`")
    if missing := _MISSING.fullmatch(message):
        return Fault(".".join(filter(None, [field, missing[1]])), "Field required")
    if choices := _choices(kind, field):
        return Fault(field, f"Input should be {choices}")
    for pattern, sentence in _SENTENCES:
        if match := pattern.match(message):
            # Python's end of text is `$` elsewhere; msgspec quotes the pattern as Python's `repr` does.
            return Fault(field, sentence.format(*(group.replace(r"\\Z", "$") for group in match.groups())))
    return Fault(field, "Input is not valid")


def _choices(kind: type[msgspec.Struct], field: str) -> str:
    """The values that an enumeration or a literal allows; empty for another field."""
    types = {one.encode_name: _plain(one.type) for one in inspect.type_info(kind).fields}  # type: ignore[attr-defined]
    match types.get(field):
        case inspect.EnumType(cls=enumeration):
            values = [str(member.value) for member in enumeration]
        case inspect.LiteralType(values=literals):
            values = [str(value) for value in literals]
        case _:
            return ""
    *others, last = (f"'{value}'" for value in values)
    return " or ".join(filter(None, [", ".join(others), last]))


def _plain(kind: Any) -> Any:  # noqa: ANN401 - msgspec's own
    return _plain(kind.type) if isinstance(kind, inspect.Metadata) else kind
