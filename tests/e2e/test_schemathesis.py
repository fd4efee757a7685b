"""The running interface is asked whatever its OpenAPI document allows, and what it does not, by everybody."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

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
from integrations.local_identity.keys import ensure_signing_key
from integrations.local_identity.tokens import mint_access_token
from integrations.settings import Settings
from tests.contract.openapi_contract import OpenApiContract
from tests.stacks import TestedStack
from tests.unit.images.drawn import file_of, halves

# Of what the document allows, and as many of what it does not, for each operation and each credential: of somebody,
# and of nobody, who is to get nowhere whatever is asked.
EXAMPLES, EXAMPLES_OF_NOBODY = 6, 1
# Neither the interface's own documentation nor the local provider's pages are in the document.
OPERATIONS = [
    f"{method} {path}"
    for method, path in RIGHTS
    if path not in {"/openapi.json", "/docs"} and not path.startswith("/identity/")
]
# Whoever asks is not there any more afterwards: each time somebody new.
OF_SOMEBODY_NEW = {"DELETE /me", "DELETE /me/sessions", "DELETE /sessions/current"}
# What they are about is in use no more afterwards: each time a new one.
OF_SOMETHING_NEW = {
    "DELETE /gyms/{gym_id}",
    "POST /gyms/{gym_id}/retire",
    "DELETE /gates/{gate_id}",
    "DELETE /machines/{machine_id}",
    "PATCH /plans/{plan_id}",
    "DELETE /plans/{plan_id}",
    "POST /orders/{order_id}/refunds",
    "POST /orders/{order_id}/reverse",
}
# Days and spans that are made up hardly ever fit each other.
HOURS: Any = {"hours": [{"weekday": 0, "opens": "06:00", "closes": "22:00"}]}
# Staff give a reason.
PLAN: Any = {"name": "Spare", "days": 30, "price": {"amount": 1000, "currency": "EUR"}}
BODIES: dict[str, Any] = {
    "PUT /gyms/{gym_id}/opening-hours": HOURS,
    "POST /scans/{scan_id}/annul": {"reason": "tried"},
    "POST /plans": PLAN,
    "PATCH /plans/{plan_id}": {"name": "A month"},
    "POST /checkouts": {"plan_id": ""},
    "POST /desk-payments": {"member_id": "", "plan_id": "", "method": "cash"},
    "POST /orders/{order_id}/refunds": {"amount": 1, "reason": "tried"},
    "POST /orders/{order_id}/reverse": {"reason": "tried"},
    "POST /members/{member_id}/freezes": {"days": 1},
    "PUT /members/{member_id}/ban": {"reason": "tried"},
}
# Of these keys of a body something is there.
NAMES_SOMETHING = {"code", "gate_id", "email", "password", "time_zone", "plan_id", "member_id"}
# These need a code or a token that is told by mail or once only; tests/unit/gateway and tests/e2e have them.
NEEDS_WHAT_NOBODY_GUESSES = {
    "POST /pairings/claim",
    "POST /sign-up/confirm",
    "POST /sessions/refresh",
    "GET /sessions/callback",
    "POST /password/reset",
    "POST /password/change",
    # A picture, or what a list says of a machine: tests/unit/gateway has them.
    "POST /gyms/{gym_id}/machines",
    "PUT /machines/{machine_id}/image",
    "PUT /me/picture",
    "PATCH /machines/{machine_id}",
    # A signature, or which membership is whose.
    "POST /payments/webhooks",
    "POST /members/{member_id}/adjustments",
}
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
PICTURE = file_of(halves())


@dataclass
class Interface:
    """A running stack, with everybody's credential and things that are there to be asked about."""

    url: str
    document: dict[str, Any]
    credentials: dict[str, str | None]
    known: dict[str, list[str]]
    settings: Settings

    def __post_init__(self) -> None:
        self.contract = OpenApiContract(self.document)
        self.schema = schemathesis.openapi.from_dict(_without_security(self.document))
        self.session = requests.Session()

    def somebody_new(self, role: Role) -> str:
        """The credential of a user who is made by its first use."""
        user_id = new_id()
        token = mint_access_token(
            self.settings,
            sub=user_id,
            email=f"{user_id}@new.example",
            groups=[role],
            lifetime=timedelta(hours=1),
        )
        return f"Bearer {token}"

    def new_user(self) -> str:
        """The id of a user who was made just now."""
        headers = {"Authorization": self.somebody_new(Role.USER)}
        user_id: str = httpx.get(f"{self.url}/me", headers=headers, timeout=10).json()["id"]
        return user_id

    def _made(self, path: str, body: dict[str, Any]) -> str:
        admin = {"Authorization": str(self.credentials["admin"])}
        made: str = httpx.post(f"{self.url}{path}", json=body, headers=admin, timeout=10).json()["id"]
        return made

    def something_new(self, name: str) -> str:
        """The id of a gym, gate, machine, plan, order or pairing that was made just now."""
        gym, gate = (self.known[kind][0] for kind in ("gym_id", "gate_id"))
        if name == "gym_id":
            new = {"name": "Spare", "address": "Quay 7", "time_zone": "Europe/Berlin", "capacity": 1}
            return self._made("/gyms", new)
        if name == "gate_id":
            return self._made(f"/gyms/{gym}/gates", {"name": f"Spare {new_id()}", "serves": "both"})
        if name == "plan_id":
            return self._made("/plans", PLAN)
        if name == "order_id":
            return self._made("/desk-payments", _sale(self.known))
        if name == "machine_id":
            return str(_machine(self.url, gym, str(self.credentials["admin"]))["id"])
        return self._made(f"/gates/{gate}/pairings", {"name": "Spare"})

    def another_session(self, who: str) -> str:
        """The id of another session of somebody's."""
        me = httpx.get(f"{self.url}/me", headers={"Authorization": str(self.credentials[who])}, timeout=10).json()
        token = mint_access_token(
            self.settings, sub=UUID(me["id"]), email=me["email"], groups=[_ROLES[who]], lifetime=timedelta(hours=1)
        )
        headers = {"Authorization": f"Bearer {token}"}
        sessions = httpx.get(f"{self.url}/me/sessions", headers=headers, timeout=10).json()["items"]
        return next(str(session["id"]) for session in sessions if session["current"])

    def ask(self, case: AnyCase, who: str, operation: str) -> Response:
        """Put a case as somebody, and hold the answer to the document; its code too."""
        credential = self.credentials[who]
        if who in _ROLES and operation in OF_SOMEBODY_NEW:
            credential = self.somebody_new(_ROLES[who])
        sent = {} if credential is None else {"Authorization": credential}
        for _ in range(_PATIENCE):
            answer = case.call(base_url=self.url, session=self.session, headers=sent, timeout=10, allow_redirects=False)
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
        tmp_path_factory.mktemp("asked"),
        environment={
            "FITMONITOR_DOOR__SCANS_PER_DEVICE_PER_SECOND": "100000",
            "FITMONITOR_API__REQUESTS_PER_USER_PER_SECOND": "100000",
            "FITMONITOR_API__SIGN_INS_PER_ADDRESS_PER_SECOND": "100000",
            "FITMONITOR_IDENTITY__FREE_ATTEMPTS": "100000",
            "FITMONITOR_IDENTITY__FREE_ATTEMPTS_OF_ADDRESS": "100000",
            "FITMONITOR_IDENTITY__ARGON2_MEMORY_KIB": "8",
            "FITMONITOR_IDENTITY__ARGON2_PASSES": "1",
        },
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
    gym = demo["gyms"][0]["id"]
    now = datetime.now(UTC).isoformat()
    unfit = {"code": "x", "gate_id": gate["id"], "direction": "enter", "scan_id": "cut-off", "scanned_at": now}
    httpx.post(f"{url}/scans/offline", json={"scans": [unfit]}, headers=device, timeout=10).raise_for_status()
    conflicts = httpx.get(f"{url}/gyms/{gym}/conflicts", headers=admin).json()["items"]
    listed = httpx.get(f"{url}/users?limit=4&search=brandt", headers=admin).json()
    machine = _machine(url, gym, tokens["admin"])
    picture = httpx.put(f"{url}/me/picture", files={"image": PICTURE}, headers={"Authorization": tokens["user"]}).json()
    passes = httpx.get(f"{url}/me/passes", headers={"Authorization": tokens["user"]}).json()
    plan_id = httpx.get(f"{url}/plans").json()["items"][0]["id"]
    buyers = {"member_id": [user["id"] for user in listed["items"]], "plan_id": [plan_id]}
    sold = httpx.post(f"{url}/desk-payments", json=_sale(buyers), headers=admin, timeout=10).json()
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
            "time_zone": ["Europe/Berlin", "Asia/Kathmandu"],
            "machine_id": [machine["id"]],
            "conflict_id": [conflict["id"] for conflict in conflicts],
            "sha256": [machine["image_url"].rpartition("/")[2], picture["picture_url"].rpartition("/")[2]],
            "code": [one["code"] for one in passes["items"]],
            "scan_id": SCANS,
            **buyers,
            "order_id": [sold["id"]],
            "invoice_id": [invoice["id"] for invoice in sold["invoices"]],
            "email": [demo[who]["email"] for who in ("admin", "staff")],
            "password": [demo[who]["password"] for who in ("admin", "staff")],
        },
        Settings(data_dir=stack.data_dir),
    )


def _sale(known: dict[str, list[str]]) -> dict[str, str]:
    return {"member_id": known["member_id"][0], "plan_id": known["plan_id"][0], "method": "cash"}


def _machine(url: str, gym_id: str, credential: str) -> dict[str, Any]:
    answer = httpx.post(
        f"{url}/gyms/{gym_id}/machines",
        data={"name": "Bench", "type": "bench"},
        files={"image": PICTURE},
        headers={"Authorization": credential},
        timeout=20,
    )
    assert answer.status_code == httpx.codes.CREATED, answer.text
    machine: dict[str, Any] = answer.json()
    return machine


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


def _with_things_that_are_there(case: AnyCase, interface: Interface, who: str, choice: int, operation: str) -> AnyCase:
    """Ids that are made up find nothing; every second case is about something that is there."""
    if choice % 2:
        return case
    if "If-Match" in str(interface.schema.find_operation_by_label(operation).definition.raw):  # type: ignore[union-attr]
        case.headers["If-Match"] = "*"
    for name in case.path_parameters or {}:
        found = _id_of_something(interface, name, who, choice, operation)
        if found is not None:
            case.path_parameters[name] = found
    known = interface.known
    if operation in BODIES:
        case.body = copy.deepcopy(BODIES[operation])
    if isinstance(case.body, dict):
        for name in case.body.keys() & NAMES_SOMETHING:
            case.body[name] = known[name][choice // 2 % len(known[name])]
    return case


def _id_of_something(interface: Interface, name: str, who: str, choice: int, operation: str) -> str | None:
    known = interface.known
    if operation in OF_SOMETHING_NEW or name == "pairing_id":
        return interface.something_new(name)
    if name in known:
        return known[name][choice % len(known[name])]
    if name == "user_id":
        return known["member_id"][choice % 4] if "{role}" in operation else interface.new_user()
    if name == "session_id" and who in _ROLES:
        return interface.another_session(who)
    return None


def _expected(right: Right, who: str, answer: Response) -> bool:
    """Whether somebody got as far as their right allows, and no further."""
    status = answer.status_code
    if right.public:
        return right.tries or status not in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
    if who in NOBODY:
        return status == httpx.codes.UNAUTHORIZED or status in _OF_THE_BODY
    may = right.device if who == "device" else right.role is not None and who in _WITHIN[right.role]
    if may:
        return status != httpx.codes.UNAUTHORIZED or answer.json()["code"] == "wrong_credentials"
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
            answer = interface.ask(_with_things_that_are_there(case, interface, who, choice, operation), who, operation)
            # A path that the client has shortened, as `/scans/..`, is another operation's.
            if OpenApiPath(path).is_asked_by(answer):
                statuses.add(answer.status_code)
                assert _expected(RIGHTS[method, path], who, answer), (answer.status_code, answer.text)

        ask()
    # Or else nothing was asked that the operation is for.
    done = {httpx.codes.OK, httpx.codes.CREATED, httpx.codes.ACCEPTED, httpx.codes.NO_CONTENT, httpx.codes.FOUND}
    assert who != "admin" or operation in NEEDS_WHAT_NOBODY_GUESSES or statuses & done, statuses


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
