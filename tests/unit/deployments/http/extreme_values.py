"""Values at the edges of what a parameter or a field can hold, and requests with one of them each."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

INTEGERS = (-1, 0, 2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400)
DATES = ("0000-00-00", "0001-01-01", "9999-12-30", "9999-12-31", "10000-01-01", "-0001-01-01")
TIMES = (
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "0001-01-01T00:00:00-23:59",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59+23:59",
    "2026-01-01T00:00:00",
    "+10000-01-01T00:00:00Z",
)
IDS = (
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "{0198c0de-0000-7000-8000-000000000000}",
    "0" * 32,
    "1",
)
CURSORS = ("A" * 22, "_" * 21 + "w", "A" * 63, "%%%%", "ü")
TEXTS = ("", "\x00", "\u200b", "\U0010ffff", "x" * 5000, "'\"%_\\")
OF_JSON = ("NaN", "-Infinity", "1e999", "1" * 5000, '"\\ud800"')
"""Written into a body as they stand: no other way leads there."""


@dataclass(frozen=True)
class Operation:
    """A call of an OpenAPI document."""

    method: str
    path: str
    call: dict[str, Any]
    document: dict[str, Any]

    @property
    def body(self) -> dict[str, Any] | None:
        """The schema of its JSON body."""
        content = self.call.get("requestBody", {}).get("content", {})
        found: dict[str, Any] | None = content.get("application/json", {}).get("schema")
        return found

    def parameters(self, where: str) -> list[dict[str, Any]]:
        return [each for each in self.call.get("parameters", ()) if each["in"] == where]


@dataclass(frozen=True)
class Asked:
    """One request with at most one extreme value; `what` names it."""

    path: str
    what: str = "usual"
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None


def operations(document: dict[str, Any]) -> list[Operation]:
    return [
        Operation(method.upper(), path, call, document)
        for path, calls in document["paths"].items()
        for method, call in calls.items()
    ]


def schemas(schema: dict[str, Any], document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a schema may be, one by one."""
    if "$ref" in schema:
        yield from schemas(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    elif "anyOf" in schema:
        for each in schema["anyOf"]:
            yield from schemas(each, document)
    else:
        yield schema


def extremes_of(name: str, schema: dict[str, Any], document: dict[str, Any]) -> list[Any]:
    """What is tried for a parameter or a field."""
    found: list[Any] = []
    for each in schemas(schema, document):
        if each.get("type") in {"integer", "number"}:
            found += [*INTEGERS, "NaN", "1e400"]
        elif each.get("format") == "date":
            found += DATES
        elif each.get("format") == "date-time":
            found += TIMES
        elif each.get("format") == "uuid":
            found += IDS
        elif name == "after":
            found += CURSORS
        elif each.get("type") == "boolean":
            found += ["2", "NaN", ""]
        elif each.get("type") == "string":
            found += TEXTS
    return found


def usual(name: str, schema: dict[str, Any], document: dict[str, Any], things: dict[str, str]) -> Any:  # noqa: ANN401 - any JSON
    """A value that is taken, as far as a schema can tell."""
    first = next(iter(schemas(schema, document)))
    if name in things:
        return things[name]
    if "enum" in first or "const" in first:
        return first.get("const") or first["enum"][0]
    if first.get("examples"):
        return first["examples"][0]
    match first.get("type"):
        case "object":
            return usual_body(first, document, things)
        case "array":
            return [usual(name, first["items"], document, things)] if first.get("minItems") else []
        case "integer" | "number":
            return max(first.get("minimum", 1), 1)
        case "boolean":
            return True
    by_format = {"uuid": IDS[0], "date": "2026-03-03", "date-time": "2026-03-03T12:00:00Z"}
    return by_format.get(first.get("format", ""), "x" * max(1, first.get("minLength", 1)))


def usual_body(schema: dict[str, Any], document: dict[str, Any], things: dict[str, str]) -> dict[str, Any]:
    """A body with what is required."""
    first = next(iter(schemas(schema, document)))
    return {
        name: usual(name, part, document, things)
        for name, part in first.get("properties", {}).items()
        if name in first.get("required", ())
    }
