"""The running interface is asked whatever its OpenAPI document allows, and what it does not, by everybody."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, CheckFunction, GenerationMode, Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from deployments.gateway.rights import RIGHTS, Right
from domain.identity.model import Role
from domain.ids import new_id
from integrations.local_identity import ensure_signing_key, mint_access_token
from integrations.settings import Settings
from tests.contract.openapi_contract import OpenApiContract
from tests.stacks import TestedStack

# Of what the document allows, and as many of what it does not, for each operation and each credential: of somebody,
# and of nobody, who is to get nowhere whatever is asked.
EXAMPLES, EXAMPLES_OF_NOBODY = 12, 4
# Both are of the interface itself and not in the document.
OPERATIONS = [f"{method} {path}" for method, path in RIGHTS if path not in {"/openapi.json", "/docs"}]
# Not whether bad data is refused: a field that nobody knows is ignored here, for newer clients' sake.
CHECKS: list[CheckFunction] = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
AnyCase = Case[Any]
NOBODY = ("none", "malformed token", "malformed header", "foreign token", "unknown device", "revoked device")
SOMEBODY = ("user", "staff", "admin", "device")
SCANS = ["of-a-device-1", "of-a-device-2", "of-a-device-3"]
_ROLES = {"user": Role.USER, "staff": Role.STAFF, "admin": Role.ADMIN}
_WITHIN = {Role.USER: {"user", "staff", "admin"}, Role.STAFF: {"staff", "admin"}, Role.ADMIN: {"admin"}}
# What is found out of a request before it is asked who sent it.
_OF_THE_BODY = {400, 408, 413, 415}
_PATIENCE = 5


@dataclass
class Interface:
    """A running stack, with everybody's credential and things that are there to be asked about."""

    url: str
    document: dict[str, Any]
    credentials: dict[str, str | None]
    known: dict[str, list[str]]

    def __post_init__(self) -> None:
        self.contract = OpenApiContract(self.document)
        self.schema = schemathesis.openapi.from_dict(_without_security(self.document))
        self.session = requests.Session()

    def ask(self, case: AnyCase, who: str) -> Response:
        """Put a case as somebody, and hold the answer to the document; its code too."""
        credential = self.credentials[who]
        sent = {} if credential is None else {"Authorization": credential}
        for _ in range(_PATIENCE):
            answer = case.call(base_url=self.url, session=self.session, headers=sent, timeout=10)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:  # a busy machine: the same may be asked again
                break
            assert int(answer.headers["retry-after"][0]) <= _PATIENCE
        assert answer.status_code < 500, (answer.status_code, answer.text)
        case.validate_response(answer, checks=CHECKS)
        content_type = answer.headers.get("content-type", [""])[0]
        self.contract.check(
            case.method.upper(),
            urlsplit(answer.request.url or "").path.removeprefix("/api"),
            httpx.Response(answer.status_code, headers={"content-type": content_type}, content=answer.content),
        )
        return answer


@pytest.fixture(scope="module")
def interface(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interface]:
    # No bucket is to run empty: the answers behind it are what is asked for.
    stack = TestedStack(
        tmp_path_factory.mktemp("asked"), environment={"FITMONITOR_DOOR__SCANS_PER_DEVICE_PER_SECOND": "100000"}
    )
    try:
        stack.start()
        yield _interface(stack)
    finally:
        stack.down()


def _interface(stack: TestedStack) -> Interface:
    url = f"http://127.0.0.1:{stack.port}/api"
    demo = json.loads(stack.demo())
    gate = demo["gyms"][0]["gates"][0]
    people = {who: demo[who]["email"] if who in demo else demo["members"][0]["email"] for who in _ROLES}
    tokens = {who: f"Bearer {stack.run('token', email).stdout.strip()}" for who, email in people.items()}
    admin = {"Authorization": tokens["admin"]}
    revoked = httpx.post(f"{url}/gates/{gate['id']}/devices", json={"name": "Revoked"}, headers=admin).json()
    assert httpx.delete(f"{url}/devices/{revoked['id']}", headers=admin).status_code == httpx.codes.NO_CONTENT
    spare = [
        httpx.post(f"{url}/gates/{gate['id']}/devices", json={"name": "Spare"}, headers=admin).json()["id"]
        for _ in range(3)
    ]
    device = {"Authorization": f"Device {gate['device']}"}
    for scan_id in SCANS:
        scan = {"code": "x", "gate_id": gate["id"], "direction": "enter", "scan_id": scan_id}
        assert httpx.post(f"{url}/scans", json=scan, headers=device, timeout=10).status_code == httpx.codes.OK
    passes = httpx.get(f"{url}/me/passes", headers={"Authorization": tokens["user"]}).json()
    return Interface(
        url,
        httpx.get(f"{url}/openapi.json").json(),
        {
            **tokens,
            "device": f"Device {gate['device']}",
            "none": None,
            "malformed token": "Bearer not.a.token",
            "malformed header": "Device  \xa7 \t what",
            "foreign token": f"Bearer {_foreign_token(stack)}",
            "unknown device": f"Device {new_id()}.{gate['device'].partition('.')[2]}",
            "revoked device": f"Device {revoked['credential']}",
        },
        {
            "gym_id": [gym["id"] for gym in demo["gyms"]],
            "gate_id": [gate["id"] for gym in demo["gyms"] for gate in gym["gates"]],
            "device_id": spare,
            "code": [one["code"] for one in passes["items"]],
            "scan_id": SCANS,
        },
    )


def _without_security(document: dict[str, Any]) -> dict[str, Any]:
    """Credentials are shown by the test; schemathesis would make them up, and leave them out as a case of its own."""
    known = copy.deepcopy(document)
    del known["components"]["securitySchemes"]
    for operations in known["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    return known


def _foreign_token(stack: TestedStack) -> str:
    """What another installation of this system would give an admin: right in everything but its key."""
    elsewhere = Settings(data_dir=stack.data_dir.parent / "elsewhere")
    assert elsewhere.identity.signing_key_dir is not None
    ensure_signing_key(elsewhere.identity.signing_key_dir)
    return mint_access_token(
        elsewhere, sub=new_id(), email="foreign@demo.example", groups=[Role.ADMIN], lifetime=timedelta(hours=1)
    )


def _with_things_that_are_there(case: AnyCase, known: dict[str, list[str]], choice: int) -> AnyCase:
    """Ids that are made up find nothing; every second case is about something that is there."""
    if choice % 2:
        return case
    for name in case.path_parameters or {}:
        if name in known:
            case.path_parameters[name] = known[name][choice % len(known[name])]
    if isinstance(case.body, dict):
        for name in case.body.keys() & {"code", "gate_id"}:
            case.body[name] = known[name][choice % len(known[name])]
    return case


def _expected(right: Right, who: str, status: int) -> bool:
    """Whether somebody got as far as their right allows, and no further."""
    if right.public:
        return status == httpx.codes.OK
    if who in NOBODY:
        return status == httpx.codes.UNAUTHORIZED or status in _OF_THE_BODY
    may = right.device if who == "device" else right.role is not None and who in _WITHIN[right.role]
    if may:
        return status != httpx.codes.UNAUTHORIZED
    return status == httpx.codes.FORBIDDEN or status in _OF_THE_BODY


@pytest.mark.parametrize("who", [*NOBODY, *SOMEBODY])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_answer_is_what_the_document_says_and_no_more_than_the_asker_may_know(
    interface: Interface, operation: str, who: str
) -> None:
    asked = interface.schema.find_operation_by_label(operation)
    assert asked is not None, f"{operation} is not in the document"
    method, path = operation.split(" ")
    has_parameters = bool("{" in path or asked.definition.raw.get("parameters") or asked.body)
    statuses: set[int] = set()
    examples = EXAMPLES if who in SOMEBODY else EXAMPLES_OF_NOBODY
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE) if has_parameters else (GenerationMode.POSITIVE,):

        @settings(
            max_examples=examples if has_parameters else 1,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],  # each example is a request to a running system: no search for a smaller one
            suppress_health_check=list(HealthCheck),
        )
        @given(case=asked.as_strategy(mode), choice=st.integers(0, 11))
        def ask(case: AnyCase, choice: int) -> None:
            answer = interface.ask(_with_things_that_are_there(case, interface.known, choice), who)
            # A path that the client has shortened, as `/scans/..`, is another operation's.
            if OpenApiPath(path).is_asked_by(answer):
                statuses.add(answer.status_code)
                assert _expected(RIGHTS[method, path], who, answer.status_code), (answer.status_code, answer.text)

        ask()
    # Or else nothing was asked that the operation is for.
    assert who != "admin" or statuses & {httpx.codes.OK, httpx.codes.CREATED, httpx.codes.NO_CONTENT}, statuses


class OpenApiPath:
    """A path of the document."""

    def __init__(self, path: str) -> None:
        self._segments = path.split("/")

    def is_asked_by(self, answer: Response) -> bool:
        """Whether the request went to it."""
        sent = urlsplit(answer.request.url or "").path.removeprefix("/api").split("/")
        return len(sent) == len(self._segments) and all(
            known.startswith("{") or known == given_ for known, given_ in zip(self._segments, sent, strict=True)
        )
