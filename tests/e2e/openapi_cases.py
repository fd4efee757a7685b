"""A running interface, with everybody's credential, and cases of its OpenAPI document to put to it."""

import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import requests
import schemathesis
from schemathesis import Case, CheckFunction, Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from deployments.http.rights import Right
from domain.identity.model import Role
from domain.ids import new_id
from integrations.local_identity.keys import ensure_signing_key
from integrations.local_identity.tokens import mint_access_token
from integrations.settings import Settings
from tests.contract.openapi_contract import OpenApiContract
from tests.e2e.api import Api
from tests.sample_pictures import file_of, halves
from tests.stacks import TestedStack

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
    # A time within the years that a device's clock can show.
    "POST /scans/offline": {
        "scans": [
            {
                "code": "asked",
                "gate_id": str(new_id()),
                "direction": "enter",
                "scan_id": "asked",
                "scanned_at": "2026-03-02T12:00:00Z",
            }
        ]
    },
    "POST /sign-up": {"email": "", "password": "", "name": "Asked"},
    "POST /sessions": {"email": "", "password": ""},
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


def interface_of(stack: Api) -> Interface:
    """The interface of a stack, asked about gyms, members and plans that no other test has."""
    settings = Settings(data_dir=stack.tested.data_dir)
    client, here, there = stack.client, stack.gates(2), stack.gates(2)
    gate = here[0]
    interface = Interface(f"{stack.url}/api", stack.document, {"none": None}, {}, settings)
    account = stack.fm.json("admin", "create", f"asked.{new_id()}@example.org")
    people = {"user": stack.member(), "staff": stack.member(), "admin": account["email"]}
    stack.fm.said("role", "give", people["staff"], "Staff")
    tokens = {who: stack.bearer(email)["Authorization"] for who, email in people.items()}
    user, admin = ({"Authorization": tokens[who]} for who in ("user", "admin"))
    revoked, *spare = (
        client.post(f"/gates/{gate.id}/devices", json={"name": name}, headers=admin).json()
        for name in ("Revoked", "Spare", "Spare", "Spare")
    )
    assert client.delete(f"/devices/{revoked['id']}", headers=admin).status_code == httpx.codes.NO_CONTENT
    interface.credentials |= tokens | {
        "device": f"Device {gate.device}",
        "malformed token": "Bearer not.a.token",
        "malformed header": "Device  \xa7 \t what",
        "foreign token": f"Bearer {_foreign_token(stack.tested)}",
        "unknown device": f"Device {new_id()}.{gate.device.partition('.')[2]}",
        "revoked device": f"Device {revoked['credential']}",
    }
    scans = [gate.scan("x", direction="enter") for _ in range(3)]
    for scan in scans:
        assert client.post("/scans", json=scan, headers=gate.headers).status_code == httpx.codes.OK
    unfit = gate.scan("x", direction="enter") | {"scanned_at": datetime.now(UTC).isoformat()}
    client.post("/scans/offline", json={"scans": [unfit]}, headers=gate.headers).raise_for_status()
    conflicts = client.get(f"/gyms/{gate.gym}/conflicts", headers=admin).json()["items"]
    machine = _machine(interface.url, gate.gym, tokens["admin"])
    picture = client.put("/me/picture", files={"image": PICTURE}, headers=user).json()
    buyers = {
        "plan_id": [client.post("/plans", json=PLAN, headers=admin).json()["id"]],
        "member_id": [client.get("/me", headers=stack.bearer(stack.member())).json()["id"] for _ in range(4)],
    }
    sold = [client.post("/desk-payments", json=_sale(buyers, number), headers=admin).json() for number in range(4)]
    interface.known |= buyers | {
        "gym_id": [gate.gym, there[0].gym],
        "gate_id": [one.id for one in (*here, *there)],
        "device_id": [device["id"] for device in spare],
        "time_zone": ["Europe/Berlin", "Asia/Kathmandu"],
        "machine_id": [machine["id"]],
        "conflict_id": [conflict["id"] for conflict in conflicts],
        "sha256": [machine["image_url"].rpartition("/")[2], picture["picture_url"].rpartition("/")[2]],
        "code": stack.codes(user),
        "scan_id": [scan["scan_id"] for scan in scans],
        "role": [Role.STAFF],
        "order_id": [sold[0]["id"]],
        "invoice_id": [invoice["id"] for invoice in sold[0]["invoices"]],
        "email": [account["email"]],
        "password": [account["password"]],
    }
    return interface


def _sale(known: dict[str, list[str]], number: int = 0) -> dict[str, str]:
    return {"member_id": known["member_id"][number], "plan_id": known["plan_id"][0], "method": "cash"}


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


def with_things_that_are_there(case: AnyCase, interface: Interface, who: str, choice: int, operation: str) -> AnyCase:
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


def expected(right: Right, who: str, answer: Response) -> bool:
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
