"""The document of the existing web client's calls, from which a client can be checked or made."""

import re
from typing import Any

import pytest

from deployments.default_stage.rights import STAGE_RIGHTS
from tests.unit.deployments.default_stage.web_client import Stage

pytestmark = pytest.mark.anyio


@pytest.fixture
async def document(stage: Stage) -> dict[str, Any]:
    answer = await stage.client.get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_every_call_is_in_the_document_with_its_right(document: dict[str, Any]) -> None:
    found = {
        (method.upper(), path): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert set(found) == set(STAGE_RIGHTS) - {("GET", "/openapi.json")}
    for named, operation in found.items():
        right = STAGE_RIGHTS[named]
        assert ("security" in operation) != right.public
        assert operation.get("x-role") == (right.role if not right.public else None)


async def test_it_says_where_it_is_served_and_which_token_is_taken(document: dict[str, Any]) -> None:
    assert document["servers"] == [{"url": "/default"}]
    assert document["components"]["securitySchemes"].keys() == {"user"}
    assert "ID token" in document["components"]["securitySchemes"]["user"]["description"]


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert references <= set(document["components"]["schemas"])
