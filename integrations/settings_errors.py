"""What is wrong with a setting: the name of its variable and what it takes, never its value, which may be a secret."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import EnvSettingsSource

PREFIX, DELIMITER = "FITMONITOR_", "__"

# What pydantic says where text was left that is no JSON, or JSON of another kind.
_NOT_OF_THAT_KIND = frozenset({"list_type", "dict_type", "model_type", "set_type", "tuple_type"})


class LenientEnvironment(EnvSettingsSource):
    """The environment, from which a value that is not JSON comes as it is: validation then says whose it is."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401 - pydantic's own signature
        """JSON read, or the text itself."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def takes_json(annotation: Any) -> bool:  # noqa: ANN401 - whatever a field is annotated with
    """Whether a setting of this type is read as JSON."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    arguments = get_args(annotation)
    return getattr(annotation, "__origin__", None) in {list, dict, set, tuple} or any(map(takes_json, arguments))


def example_of(field: FieldInfo) -> str:
    """A value that a setting which takes JSON would accept, as it is written."""
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields
        shown = {name: each.default for name, each in fields.items() if isinstance(each.default, str | int | float)}
        name = next((name for name, value in shown.items() if value), next(iter(fields)))
        return json.dumps({name: shown.get(name)})
    return json.dumps((field.examples or [])[0])


def named_errors(error: ValidationError, fields: Mapping[str, FieldInfo]) -> ValidationError:
    """The same errors, each with the variable in place of pydantic's location.

    Args:
        error: of a class whose fields, or groups of fields, are settings.
        fields: of that class.
    """
    return ValidationError.from_exception_data(
        error.title, [_named(each, fields) for each in _details(error)], hide_input=True
    )


def variable_of(location: Sequence[str | int], fields: Mapping[str, FieldInfo]) -> tuple[str, FieldInfo | None, str]:
    """The variable, its field, and what follows within a value of JSON."""
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


def _named(error: Mapping[str, Any], fields: Mapping[str, FieldInfo]) -> InitErrorDetails:
    variable, field, rest = variable_of(error["loc"], fields)
    said = error["msg"].removeprefix("Value error, ") if error["loc"] else error["msg"]
    if field is not None and takes_json(field.annotation):
        if not rest and error["type"] in _NOT_OF_THAT_KIND:
            kind = "list" if error["type"] == "list_type" else "object"
            said = f"must be a JSON {kind}"
        elif rest:
            said = f"entry {rest}: {said}"
        said = f"{said}, as in {variable}='{example_of(field)}'"
    elif field is not None and field.annotation is SecretStr:
        said = said.partition(",")[0]
    return InitErrorDetails(
        type=PydanticCustomError("setting", "{said}", {"said": said}),
        loc=(variable,) if variable else tuple(error["loc"]),
        input=None,
    )
