"""The base of every JSON request body: scalars are strict."""

from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_NATIVE = frozenset({"bool", "int", "float", "str"})
_OF_TEXT = frozenset({"date", "datetime", "time", "timedelta"})


def not_a_number(value: object) -> object:
    """Refuse a number, `true` and `false`; return any other value.

    Raises:
        ValueError: the value is a number or a boolean.
    """
    if isinstance(value, bool | int | float):
        raise ValueError("must be a string, not a number")  # noqa: TRY004 - pydantic reports a ValueError as a fault
    return value


def not_a_boolean(value: object) -> object:
    """Refuse `true` and `false`; return any other value. For calls that also accept a number as text.

    Raises:
        ValueError: the value is a boolean.
    """
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004 - as above
    return value


def _make_strict(node: Any, owner: type[BaseModel]) -> None:  # noqa: ANN401 - a tree of dictionaries
    """Make every scalar below a node of a pydantic core schema strict, except inside other models."""
    if isinstance(node, list | tuple):
        for each in node:
            _make_strict(each, owner)
        return
    if not isinstance(node, dict) or (node.get("type") == "model" and node.get("cls") is not owner):
        return
    kind = node.get("type")
    kind = kind if isinstance(kind, str) else ""  # no string: the node maps fields, and one is called `type`
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
    """A JSON object in a request: `true` and `"1"` are not integers, and 1 is not a string, boolean or date.

    Pydantic's strict mode is no alternative: it also refuses dates, UUIDs and enumerations, which JSON has as strings.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - pydantic's own
        """The core schema of the model, with strict scalars."""
        schema = handler(source)
        _make_strict(schema, cls)
        return schema
