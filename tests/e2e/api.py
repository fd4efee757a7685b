"""The interface of a running stack, as tests ask it."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from uuid import uuid4

import httpx

from tests.contract.openapi_contract import OpenApiContract
from tests.documented.pages import pages
from tests.e2e.commands import Commands
from tests.stacks import TestedStack


@dataclass(frozen=True)
class Gate:
    """A gate, with the credential of its device."""

    gym: str
    id: str
    device: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Device {self.device}"}

    def scan(self, code: str, scan_id: str | None = None, direction: str = "auto") -> dict[str, str]:
        return {"code": code, "gate_id": self.id, "direction": direction, "scan_id": scan_id or str(uuid4())}


class Api:
    """The interface of a running stack that many tests share, each answer held to the OpenAPI document.

    Every test takes members and gyms of its own. What is counted for the whole stack it compares before and after.
    """

    def __init__(self, tested: TestedStack) -> None:
        self.tested = tested
        self.fm = Commands(tested.environment)
        self.port = tested.port
        self.url = f"http://127.0.0.1:{tested.port}"
        self.demo = json.loads(tested.demo())
        self.document = httpx.get(f"{self.url}/api/openapi.json", timeout=10).json()
        self.client = httpx.Client(base_url=f"{self.url}/api", timeout=10, event_hooks={"response": [self._check]})
        self._contract = OpenApiContract(self.document)
        self._members: dict[str, Iterator[str]] = defaultdict(lambda: iter(()))
        self._members |= {member["state"]: self._of_state(member["state"]) for member in self.demo["members"]}

    @property
    def admin(self) -> dict[str, str]:
        return self.bearer(self.demo["admin"]["email"])

    @property
    def staff(self) -> dict[str, str]:
        return self.bearer(self.demo["staff"]["email"])

    def member(self, state: str = "active") -> str:
        """The address of a member of the demo whom no other test has, and no document names.

        Args:
            state: as the demo says it; those who are active may come in.
        """
        return next(self._members[state])

    def bearer(self, email: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.fm.said('token', email).strip()}"}

    def gates(self, count: int = 1) -> list[Gate]:
        """Gates of a new gym, each with a device."""
        admin = self.admin
        place = {"name": f"Gym {uuid4()}", "address": "Quay 7", "time_zone": "Europe/Berlin", "capacity": 50}
        gym = self._made("/gyms", place, admin)["id"]
        return [self._gate(gym, f"Door {number}", admin) for number in range(count)]

    def codes(self, headers: dict[str, str], count: int = 1) -> list[str]:
        passes = self.client.get(f"/me/passes?count={count}", headers=headers).json()
        return [one["code"] for one in passes["items"]]

    def _gate(self, gym: str, name: str, admin: dict[str, str]) -> Gate:
        gate = self._made(f"/gyms/{gym}/gates", {"name": name, "serves": "both"}, admin)["id"]
        return Gate(gym, gate, self._made(f"/gates/{gate}/devices", {"name": name}, admin)["credential"])

    def _made(self, path: str, body: dict[str, object], headers: dict[str, str]) -> dict[str, str]:
        answer = self.client.post(path, json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        made: dict[str, str] = answer.json()
        return made

    def _of_state(self, state: str) -> Iterator[str]:
        found = (member["email"] for member in self.demo["members"] if member["state"] == state)
        return (email for email in found if email not in _named_in_documents())

    def _check(self, answer: httpx.Response) -> None:
        answer.read()
        path = answer.request.url.path.removeprefix("/api")
        self._contract.check(answer.request.method, path, answer)
        # Serve's server names the request once; a second header of ours would contradict it one day.
        assert len(answer.headers.get_list("x-request-id")) == 1
        assert answer.headers["x-content-type-options"] == "nosniff"


@cache
def _named_in_documents() -> frozenset[str]:
    return frozenset(re.findall(r"[\w.]+@demo\.example", " ".join(page.path.read_text("utf-8") for page in pages())))
