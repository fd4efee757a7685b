"""The running interface is asked whatever its OpenAPI document allows, and what it does not, by everybody."""

from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from deployments.http.api_rights import RIGHTS
from tests.e2e.api import Api
from tests.e2e.openapi_cases import (
    NOBODY,
    SOMEBODY,
    AnyCase,
    Interface,
    OpenApiPath,
    expected,
    interface_of,
    with_things_that_are_there,
)

# In the long run: of what the document allows, and as many of what it does not, for each operation and each credential:
# of somebody, and of nobody, who is to get nowhere whatever is asked.
EXAMPLES, EXAMPLES_OF_NOBODY = 6, 1
# Neither the interface's own documentation nor the local provider's pages are in the document.
OPERATIONS = [
    f"{method} {path}"
    for method, path in RIGHTS
    if path not in {"/openapi.json", "/docs"} and not path.startswith("/identity/")
]
# These need a code or a token that is told by mail or once only; tests/unit/deployments and tests/e2e have them.
NEEDS_WHAT_NOBODY_GUESSES = {
    "POST /pairings/claim",
    "POST /sign-up/confirm",
    "POST /sessions/refresh",
    "GET /sessions/callback",
    "POST /password/reset",
    "POST /password/change",
    # A picture, or what a list says of a machine: tests/unit/deployments has them.
    "POST /gyms/{gym_id}/machines",
    "PUT /machines/{machine_id}/image",
    "PUT /me/picture",
    "PATCH /machines/{machine_id}",
    # A signature, or which membership is whose.
    "POST /payments/webhooks",
    "POST /members/{member_id}/adjustments",
}
DONE = {httpx.codes.OK, httpx.codes.CREATED, httpx.codes.ACCEPTED, httpx.codes.NO_CONTENT, httpx.codes.FOUND}
ALLOWED, NOT_ALLOWED = GenerationMode.POSITIVE, GenerationMode.NEGATIVE


@pytest.fixture(scope="module")
def interface(stack: Api) -> Iterator[Interface]:
    company = stack.client.get("/company", headers=stack.admin)
    yield interface_of(stack)
    kept = {name: value for name, value in company.json().items() if name not in {"id", "version"}}
    put_back = stack.client.patch("/company", json=kept, headers=stack.admin | {"If-Match": "*"})
    assert put_back.status_code == httpx.codes.OK, put_back.text


def ask(interface: Interface, operation: str, who: str, mode: GenerationMode, examples: int, choices: int) -> set[int]:
    """Put made-up cases of an operation as somebody, each answer held to the document and to their right.

    Args:
        interface: of a running stack.
        operation: as `GET /gyms`.
        who: of `SOMEBODY` or `NOBODY`.
        mode: what the document allows, or does not.
        examples: how many at most.
        choices: from how many ways to name something that is there; with one, all of them do.

    Returns:
        The statuses.
    """
    asked = interface.schema.find_operation_by_label(operation)
    assert asked is not None, f"{operation} is not in the document"
    method, path = operation.split(" ")
    statuses: set[int] = set()

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],  # each example is a request to a running system: no search for a smaller one
        suppress_health_check=list(HealthCheck),
    )
    @given(case=asked.as_strategy(mode), choice=st.integers(0, choices - 1))
    def ask_one(case: AnyCase, choice: int) -> None:
        answer = interface.ask(with_things_that_are_there(case, interface, who, choice, operation), who, operation)
        # A path that the client has shortened, as `/scans/..`, is another operation's.
        if OpenApiPath(path).is_asked_by(answer):
            statuses.add(answer.status_code)
            assert expected(RIGHTS[method, path], who, answer), (answer.status_code, answer.text)

    ask_one()
    return statuses


def has_parameters(interface: Interface, operation: str) -> bool:
    asked = interface.schema.find_operation_by_label(operation)
    return "{" in operation or bool(asked and (asked.definition.raw.get("parameters") or asked.body))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_answers_an_admin_and_nobody_as_the_document_says(interface: Interface, operation: str) -> None:
    statuses = ask(interface, operation, "admin", ALLOWED, 2, 1)
    assert operation in NEEDS_WHAT_NOBODY_GUESSES or statuses & DONE, statuses
    ask(interface, operation, "none", ALLOWED, 1, 1)
    if has_parameters(interface, operation):
        ask(interface, operation, "admin", NOT_ALLOWED, 1, 2)


@pytest.mark.soak("schemathesis")
@pytest.mark.parametrize("who", [*NOBODY, *SOMEBODY])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_answer_is_what_the_document_says_and_no_more_than_the_asker_may_know(
    interface: Interface, operation: str, who: str
) -> None:
    if not has_parameters(interface, operation):
        statuses = ask(interface, operation, who, ALLOWED, 1, 12)
    else:
        examples = EXAMPLES if who in SOMEBODY else EXAMPLES_OF_NOBODY
        statuses = {
            status for mode in (ALLOWED, NOT_ALLOWED) for status in ask(interface, operation, who, mode, examples, 12)
        }
    # Or else nothing was asked that the operation is for.
    assert who != "admin" or operation in NEEDS_WHAT_NOBODY_GUESSES or statuses & DONE, statuses
