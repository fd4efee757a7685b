"""Error messages for invalid settings: the variable and the expected format, never the value, which may be secret."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import EnvSettingsSource

PREFIX, DELIMITER = "FITMONITOR_", "__"

# Pydantic's error types for text that is not JSON, or JSON of another type.
_WRONG_JSON_TYPES = frozenset({"list_type", "dict_type", "model_type", "set_type", "tuple_type"})


class LenientEnvironment(EnvSettingsSource):
    """Reads the environment. Keeps a value that is not JSON as text, so that validation can name its variable."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401 - pydantic's own signature
        """Decode JSON; return the text unchanged if it is not JSON."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def takes_json(annotation: Any) -> bool:  # noqa: ANN401 - whatever a field is annotated with
    """Whether a setting of this type is written as JSON."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    arguments = get_args(annotation)
    return getattr(annotation, "__origin__", None) in {list, dict, set, tuple} or any(map(takes_json, arguments))


def example_of(field: FieldInfo) -> str:
    """A valid example value for a setting that is written as JSON."""
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields
        shown = {name: each.default for name, each in fields.items() if isinstance(each.default, str | int | float)}
        name = next((name for name, value in shown.items() if value), next(iter(fields)))
        return json.dumps({name: shown.get(name)})
    return json.dumps((field.examples or [])[0])


def named_errors(
    error: ValidationError, fields: Mapping[str, FieldInfo], former: Mapping[str, str] | None = None
) -> ValidationError:
    """Replace pydantic's location by the environment variable in each error.

    Args:
        error: the validation error of a settings class.
        fields: the fields of that class.
        former: the deprecated variables in use, by their current variables. The message names both.
    """
    return ValidationError.from_exception_data(
        error.title, [_named(each, fields, former or {}) for each in _details(error)], hide_input=True
    )


def variable_of(location: Sequence[str | int], fields: Mapping[str, FieldInfo]) -> tuple[str, FieldInfo | None, str]:
    """The environment variable, its field, and the path inside a JSON value."""
    names, field, within = [], None, fields
    for each in location:
        if not isinstance(each, str) or each not in within:
            break
        names.append(each.upper())
        field = within[each]
        kind = field.annotation
        within = kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}
    rest = ".".join(map(str, location[len(names) :]))
    return PREFIX + DELIMITER.join(names) if names else "", field, rest


def _details(error: ValidationError) -> Iterator[Mapping[str, Any]]:
    yield from error.errors(include_url=False, include_context=False, include_input=False)


def _named(error: Mapping[str, Any], fields: Mapping[str, FieldInfo], former: Mapping[str, str]) -> InitErrorDetails:
    variable, field, rest = variable_of(error["loc"], fields)
    message = error["msg"].removeprefix("Value error, ") if error["loc"] else error["msg"]
    if field is not None and takes_json(field.annotation):
        if not rest and error["type"] in _WRONG_JSON_TYPES:
            kind = "list" if error["type"] == "list_type" else "object"
            message = f"must be a JSON {kind}"
        elif rest:
            message = f"entry {rest}: {message}"
        message = f"{message}, as in {variable}='{example_of(field)}'"
    elif field is not None and field.annotation is SecretStr:
        message = message.partition(",")[0]
    if variable in former:
        message = f"{message}. The value is that of the deprecated name {former[variable]}"
    return InitErrorDetails(
        type=PydanticCustomError("setting", "{message}", {"message": message}),
        loc=(variable,) if variable else tuple(error["loc"]),
        input=None,
    )
