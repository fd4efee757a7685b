"""What every JSON body of a request shares: JSON's own types are taken strictly."""

from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_NATIVE = frozenset({"bool", "int", "float", "str"})
_OF_TEXT = frozenset({"date", "datetime", "time", "timedelta"})


def not_a_number(value: object) -> object:
    """A value that is neither a number nor `true` or `false`.

    Raises:
        ValueError: it is one.
    """
    if isinstance(value, bool | int | float):
        raise ValueError("must be a string, not a number")  # noqa: TRY004 - pydantic reports a ValueError as a fault
    return value


def not_a_boolean(value: object) -> object:
    """A value that is not `true` or `false`, for calls that take numbers as text too.

    Raises:
        ValueError: it is one.
    """
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004 - as above
    return value


def _make_strict(node: Any, owner: type[BaseModel]) -> None:  # noqa: ANN401 - a tree of dictionaries
    if isinstance(node, list | tuple):
        for each in node:
            _make_strict(each, owner)
        return
    if not isinstance(node, dict) or (node.get("type") == "model" and node.get("cls") is not owner):
        return
    kind = node.get("type")
    kind = kind if isinstance(kind, str) else ""  # a map of fields, one of which has this name
    if kind in _NATIVE:
        node["strict"] = True
    elif kind in _OF_TEXT:
        inner = dict(node)
        node.clear()
        node.update(core_schema.no_info_before_validator_function(not_a_number, inner))
        return
    for name, each in node.items():
        if name != "metadata":
            _make_strict(each, owner)


class RequestBody(BaseModel):
    """A JSON body, or an object in one: `true` and `"1"` are no integers, and 1 is no text, boolean or date.

    Pydantic's own strict mode would refuse dates, UUIDs and enumerations as well, which JSON can only write as strings.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - pydantic's own
        """The schema that validates, with its scalars strict."""
        schema = handler(source)
        _make_strict(schema, cls)
        return schema
