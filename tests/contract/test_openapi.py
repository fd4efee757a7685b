"""The OpenAPI document of the gateway. Every answer of the gateway's unit tests is held to it as well."""

import re
from pathlib import Path
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest

from deployments.http.api_rights import RIGHTS
from deployments.http.error_codes import KINDS
from deployments.http.errors_page import page
from domain.unit_of_work import Store
from tests.contract.openapi_contract import OpenApiContract
from tests.servers import migrate
from tests.unit.deployments.harness import Harness
from tests.world import World

AREAS = ("door", "gyms", "identity", "machines", "memberships", "passes", "payments", "system")
VERBS = frozenset(
    {
        *("Add", "Adjust", "Annul", "Ban", "Change", "Check", "Claim", "Confirm", "Create", "Delete"),
        *("Disable", "Enable", "End", "Export", "Finish", "Freeze", "Get", "Lift", "List", "Mark", "Receive"),
        *("Reconcile", "Record", "Redirect", "Refresh", "Refund", "Release", "Remove", "Reopen", "Replace"),
        *("Request", "Resend", "Reset", "Retire", "Reverse", "Revoke", "Scan", "Set", "Settle", "Show", "Sign"),
        *("Start", "Upload", "Use", "Withdraw"),
    }
)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    url = f"sqlite:///{tmp_path_factory.mktemp('contract') / 'gym.sqlite3'}"
    migrate(url)
    return Harness(World(Store(url))).document


def test_every_reference_leads_somewhere(document: dict[str, object]) -> None:
    schemas = document["components"]["schemas"]  # type: ignore[index]
    references = set(re.findall(r"'#/components/schemas/(\w+)'", str(document)))
    assert references <= set(schemas)
    assert "HTTPValidationError" not in schemas


def test_every_operation_says_who_may_call_it_and_what_can_go_wrong(document: dict[str, object]) -> None:
    for path, operations in document["paths"].items():  # type: ignore[attr-defined]
        for method, operation in operations.items():
            right = RIGHTS[method.upper(), path]
            assert ("security" in operation) != right.public
            assert {"500", "503"} <= set(operation["responses"])
            assert ("/api/docs#unauthenticated" in str(operation)) != right.public
            assert operation["description"]
            assert operation["tags"]


def operations_of(document: dict[str, object]) -> list[dict[str, Any]]:
    paths: dict[str, dict[str, dict[str, Any]]] = document["paths"]  # type: ignore[assignment]
    return [operation for operations in paths.values() for operation in operations.values()]


def test_every_summary_is_a_short_imperative(document: dict[str, object]) -> None:
    for operation in operations_of(document):
        summary = operation["summary"]
        assert summary.split()[0] in VERBS, f"{operation['operationId']}: `{summary}` does not begin with a known verb"
        assert len(summary) <= 60
        assert not summary.endswith(".")


def test_operation_ids_and_summaries_are_unique(document: dict[str, object]) -> None:
    operations = operations_of(document)
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert len({operation["summary"] for operation in operations}) == len(operations)


def test_operations_are_grouped_by_area(document: dict[str, object]) -> None:
    assert {tuple(operation["tags"]) for operation in operations_of(document)} == {(area,) for area in AREAS}


def test_the_scan_stands_first_among_the_operations_of_the_door(document: dict[str, object]) -> None:
    paths = list(document["paths"])  # type: ignore[call-overload]
    assert [path for path in paths if path.startswith("/scans")] == paths[:4]
    assert paths[0] == "/scans"


def test_every_problem_but_those_of_no_route_is_declared_somewhere(document: dict[str, object]) -> None:
    declared = set(re.findall(r"/api/docs#(\w+)", str(document)))
    of_the_default_stage = {"no_such_price"}
    assert declared == set(KINDS) - {"not_found", "method_not_allowed"} - of_the_default_stage | {"not_found"}


def test_the_page_of_errors_is_the_table_that_answers_them() -> None:
    written = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m deployments.http.errors_page > docs/errors.md"


def test_examples_fit_their_schemas(document: dict[str, object]) -> None:
    components = document["components"]
    for operations in document["paths"].values():  # type: ignore[attr-defined]
        for operation in operations.values():
            for answer in operation["responses"].values():
                for content in answer.get("content", {}).values():
                    schema = {**content["schema"], "components": components}
                    for example in content.get("examples", {}).values():
                        jsonschema.Draft202012Validator(schema).validate(example["value"])


def test_the_contract_finds_what_is_not_declared(document: dict[str, object]) -> None:
    contract = OpenApiContract(document)
    contract.check("GET", "/health", httpx.Response(200, json={"alive": True}))
    for answer in (
        httpx.Response(200, json={"alive": "perhaps"}),
        httpx.Response(200, json={}),
        httpx.Response(200, text="alive"),
        httpx.Response(418, json={"alive": True}),
    ):
        with pytest.raises((AssertionError, jsonschema.ValidationError, KeyError)):
            contract.check("GET", "/health", answer)
