"""Whatever a parameter or a field holds, the answer is no internal error: every call, one extreme value at a time."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi.openapi.utils import get_openapi

from domain.identity.model import Role
from domain.ids import new_id
from tests.unit.deployments.default_stage.web_client import Stage
from tests.unit.deployments.gateway.machines.test_machines import machine_of
from tests.unit.deployments.gateway.purchases import bought, made_plan
from tests.unit.deployments.harness import Harness
from tests.unit.deployments.http.extreme_values import (
    OF_JSON,
    Asked,
    Operation,
    extremes_of,
    operations,
    schemas,
    usual,
    usual_body,
)

pytestmark = pytest.mark.anyio
MARK = "extreme-value"
WHOLE = ("[" * 3000, "null", "[]", "1", "NaN", '{"a":' * 800)
"""Bodies that are no object at all."""


def written(body: Any, raw: str) -> str:  # noqa: ANN401 - any JSON
    return json.dumps(body).replace(json.dumps(MARK), raw)


def bodies(operation: Operation, things: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Bodies with one extreme value, and what it is."""
    document = operation.document
    schema = operation.body or {}
    usual_one = usual_body(schema, document, things)

    def within(part: dict[str, Any], wrap: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a function
        for each in schemas(part, document):
            for name, field in each.get("properties", {}).items():
                for value in extremes_of(name, field, document):
                    yield written(wrap(name, MARK), json.dumps(value)), f"{name}={str(value)[:40]!r}"
                for raw in OF_JSON:
                    yield written(wrap(name, MARK), raw), f"{name}: {raw[:40]}"
                for inner in schemas(field, document):
                    listed = inner.get("type") == "array"
                    below = inner["items"] if listed else inner
                    if any("properties" in one for one in schemas(below, document)):
                        base = usual_body(below, document, things)
                        yield from within(
                            below,
                            lambda key, mark, name=name, base=base, listed=listed: wrap(
                                name, [base | {key: mark}] if listed else base | {key: mark}
                            ),
                        )

    yield from within(schema, lambda name, value: usual_one | {name: value})


def requests(operation: Operation, things: dict[str, str], *, all_values: bool = True) -> Iterator[Asked]:
    """One after the other; of what all calls share (lists, versions, JSON) a part, unless all is wanted."""
    document = operation.document
    names = {one["name"]: usual(one["name"], one["schema"], document, things) for one in operation.parameters("path")}
    path = operation.path.format(**names)
    needed = {
        one["name"]: str(usual(one["name"], one["schema"], document, things))
        for one in operation.parameters("query")
        if one.get("required")
    }
    headers = {"If-Match": "*"}
    body = json.dumps(usual_body(operation.body, document, things)) if operation.body else None
    for one in operation.parameters("path"):
        for value in extremes_of(one["name"], one["schema"], document)[:3]:
            extreme = operation.path.format(**names | {one["name"]: quote(str(value), safe="")})
            if str(value):
                yield Asked(extreme, f"{one['name']}={str(value)[:40]!r}", needed, headers, body)
    for one in operation.parameters("query"):
        found = extremes_of(one["name"], one["schema"], document)
        for value in found if all_values or one["name"] not in {"limit", "after"} else found[:2]:
            query = needed | {one["name"]: str(value)}
            yield Asked(path, f"{one['name']}={str(value)[:40]!r}", query, headers, body)
    for value in ('"999999999"', '"99999999999"', '"-1"', "\xff") if all_values else ():
        yield Asked(path, f"If-Match {value}", needed, {"If-Match": value}, body)
    if operation.body:
        for raw in WHOLE if all_values else WHOLE[:1]:
            yield Asked(path, f"the body {raw[:20]}", needed, headers, raw)
        for extreme, what in bodies(operation, things):
            yield Asked(path, what, needed, headers, extreme)


async def ask(client: httpx.AsyncClient, operation: Operation, asked: Asked, bearer: dict[str, str]) -> httpx.Response:
    headers = {name.encode(): value.encode("latin-1") for name, value in (bearer | asked.headers).items()}
    content = asked.body.encode() if asked.body is not None else None
    if content is not None:
        headers[b"Content-Type"] = b"application/json"
    return await client.request(operation.method, asked.path, params=asked.query, headers=headers, content=content)


async def things_of(harness: Harness) -> dict[str, str]:
    """Something of each kind, by the names that parameters and fields have."""
    admin, member = harness.bearer(Role.ADMIN), harness.world.newcomer()
    mia = harness.bearer(Role.USER, user_id=member)
    at = harness.gym_with_gate()
    order = await bought(harness, mia)
    plan = await made_plan(harness, admin)
    machine = await machine_of(harness, at.gym)
    held = (await harness.client.get("/me/membership", headers=mia)).json()["memberships"][0]["id"]
    await harness.scan(at, harness.world.member(), scan_id="s1")
    return {
        "gym_id": str(at.gym),
        "gate_id": str(at.gate),
        "device_id": str(at.device),
        "machine_id": machine["id"],
        "plan_id": plan["id"],
        "order_id": order["id"],
        "invoice_id": order["invoices"][0]["id"],
        "member_id": str(member),
        "user_id": str(member),
        "membership_id": held,
        "scan_id": "s1",
        "sha256": "0" * 64,
        "time_zone": "Europe/Berlin",
        "email": "mia@example.org",
        "password": "a long enough password",
        "session_id": str(new_id()),
    }


async def internal_errors(
    harness: Harness, client: httpx.AsyncClient, found: list[Operation], bearer: dict[str, str]
) -> list[str]:
    things = await things_of(harness)
    failed = []
    for number, operation in enumerate(found):
        for asked in requests(operation, things, all_values=number == 0):
            answer = await ask(client, operation, asked, bearer)
            if answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR:
                failed.append(f"{operation.method} {operation.path} {asked.what}")
    return failed


AREAS = ("door", "gyms", "identity", "machines", "memberships", "passes", "payments", "system")


@pytest.mark.parametrize("area", AREAS)
async def test_no_value_is_an_internal_error(harness: Harness, area: str) -> None:
    found = [each for each in operations(harness.document) if each.call["tags"] == [area]]
    assert found
    assert await internal_errors(harness, harness.client, found, harness.bearer(Role.ADMIN)) == []


async def test_every_call_of_the_document_is_of_an_area_above(harness: Harness) -> None:
    assert {tag for each in operations(harness.document) for tag in each.call["tags"]} == set(AREAS)


async def test_no_value_is_an_internal_error_to_the_existing_web_client(harness: Harness) -> None:
    stage = Stage(harness)
    async with stage.client:
        rest: Any = stage.shell._rest  # noqa: SLF001 - a FastAPI application
        found = operations(get_openapi(title="stage", version="1", routes=rest.routes))
        headers = {"Authorization": f"Bearer {stage.tokens.give(Role.ADMIN)}"}
        assert await internal_errors(harness, stage.client, found, headers) == []
