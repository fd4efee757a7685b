"""Every JSON body of the API takes JSON's own types strictly, and normalises what people write."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from deployments.default_stage import machine_use_routes as machine_use_calls
from deployments.default_stage import pass_routes as pass_calls
from deployments.default_stage import payment_routes as payment_calls
from deployments.default_stage import user_routes as user_calls
from deployments.gateway import routers
from deployments.gateway.identity.local_provider import routes as local_provider
from deployments.http.request_body import RequestBody
from deployments.http.text import line, paragraphs

# Their client writes numbers as text too.
LENIENT = {machine_use_calls.NamedMachine, machine_use_calls.MachineUseRequest, payment_calls.CheckoutRequest}
SECRETS = {"code", "refresh_token", "token", "qrToken"}  # taken as they are
STAGE = (machine_use_calls, pass_calls, payment_calls, user_calls)
ROUTERS = (*routers._ROUTERS, local_provider.router, *(calls.router() for calls in STAGE))  # noqa: SLF001 - all that there are
WRONG: dict[str, tuple[object, ...]] = {
    "integer": (True, False, "1", 1.0, 1.5, "", "true", [1]),
    "number": (True, "1", "1.5"),
    "boolean": (1, 0, "true", "false", "on", 1.0, ""),
    "string": (1, 0, True, 1.5, ["a"], {"a": "b"}),
}
"""What is none of a type of JSON."""


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - any annotation
    """The models that an annotation names, those of their fields included."""
    if get_origin(annotation) is Annotated or get_args(annotation):
        for each in get_args(annotation):
            yield from models_in(each)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)


def bodies() -> set[type[BaseModel]]:
    found: set[type[BaseModel]] = set()
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            for body in route.dependant.body_params:
                found |= set(models_in(body.field_info.annotation))
    return found


BODIES = sorted(bodies() - LENIENT, key=lambda model: model.__name__)


def types_of(schema: dict[str, Any], definitions: dict[str, Any]) -> set[str]:
    """The types of JSON that a part of a schema takes."""
    if "$ref" in schema:
        return types_of(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return set().union(*(types_of(each, definitions) for each in schema["anyOf"]))
    return {schema["type"]} if "type" in schema else set()


def faults(model: type[BaseModel], name: str, value: object) -> list[Any]:
    try:
        model.model_validate({name: value})
    except ValidationError as error:
        return [fault for fault in error.errors() if fault["loc"][:1] == (name,)]
    return []


def test_there_are_bodies_and_each_is_strict() -> None:
    assert len(BODIES) > 30
    assert [model.__name__ for model in BODIES if not issubclass(model, RequestBody)] == []


@pytest.mark.parametrize("model", BODIES, ids=lambda model: model.__name__)
def test_a_value_of_another_type_of_json_is_refused(model: type[BaseModel]) -> None:
    schema = model.model_json_schema(by_alias=False)
    for name, part in schema["properties"].items():
        taken = types_of(part, schema.get("$defs", {}))
        for wrong in set(WRONG) & taken:
            for value in WRONG[wrong]:
                assert faults(model, name, value), f"{name}: {value!r}"


@pytest.mark.parametrize("model", BODIES, ids=lambda model: model.__name__)
def test_text_without_anything_to_see_is_refused_and_a_control_character_too(model: type[BaseModel]) -> None:
    schema = model.model_json_schema(by_alias=False)
    for name, part in schema["properties"].items():
        if part.get("type") != "string" or "password" in name or name in SECRETS:
            continue
        for value in ("\x00", "a\x00b", "a\x1bb", "a\u202eb", "\ud800"):
            assert faults(model, name, value), f"{name}: {value!r}"
        if part.get("minLength"):
            for value in ("", " ", "\u200b", "\u200d\ufeff", "\n\t"):
                assert faults(model, name, value), f"{name}: {value!r}"


def test_a_text_is_trimmed_composed_and_keeps_its_joiners() -> None:
    assert line("  Zoe\u0308 \u00a0") == "Zo\u00eb"
    assert line("\u0645\u06cc\u200c\u0631\u0648\u0645") == "\u0645\u06cc\u200c\u0631\u0648\u0645"
    assert line("\U0001f469\u200d\U0001f680") == "\U0001f469\u200d\U0001f680"
    assert paragraphs("Quay 7\r\n2nd floor\t") == "Quay 7\n2nd floor"
    for text in ("a\nb", "a\tb", "a\u2028b", "a\x7fb"):
        with pytest.raises(ValueError, match="control character"):
            line(text)


def test_numbers_of_the_existing_web_client_may_be_text_but_not_true_or_false() -> None:
    wish = {"currency": "eur", "successUrl": "http://a.test", "cancelUrl": "http://a.test"}
    assert payment_calls.CheckoutRequest.model_validate(wish | {"amount": "2500"}).amount == 2500
    assert machine_use_calls.NamedMachine.model_validate({"machineId": "7"}).machineId == 7
    for model, body in (
        (payment_calls.CheckoutRequest, wish | {"amount": True}),
        (machine_use_calls.NamedMachine, {"machineId": True}),
    ):
        with pytest.raises(ValidationError):
            model.model_validate(body)
