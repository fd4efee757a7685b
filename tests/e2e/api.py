"""The interface of a running stack, as tests ask it."""

import json
from dataclasses import dataclass
from uuid import uuid4

import httpx

from tests.contract.openapi_contract import OpenApiContract
from tests.stacks import TestedStack


@dataclass(frozen=True)
class Gate:
    """A gate of the demo, with the credential of its device."""

    gym: str
    id: str
    device: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Device {self.device}"}

    def scan(self, code: str, scan_id: str | None = None, direction: str = "auto") -> dict[str, str]:
        return {"code": code, "gate_id": self.id, "direction": direction, "scan_id": scan_id or str(uuid4())}


class Api:
    """The interface of a running stack, each answer held to the OpenAPI document."""

    def __init__(self, stack: TestedStack) -> None:
        self._stack = stack
        self.port = stack.port
        self.url = f"http://127.0.0.1:{stack.port}"
        self.demo = json.loads(stack.demo())
        self.client = httpx.Client(base_url=f"{self.url}/api", timeout=10, event_hooks={"response": [self._check]})
        self._contract = OpenApiContract(httpx.get(f"{self.url}/api/openapi.json", timeout=10).json())

    def run(self, *arguments: str) -> str:
        done = self._stack.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def gates(self, gym: int = 0) -> list[Gate]:
        found = self.demo["gyms"][gym]
        return [Gate(found["id"], gate["id"], gate["device"]) for gate in found["gates"]]

    def member(self, number: int) -> str:
        """The address of one of the members who may come in."""
        members = [member["email"] for member in self.demo["members"] if member["state"] == "active"]
        address: str = members[number]
        return address

    def bearer(self, email: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.run('token', email)}"}

    def codes(self, headers: dict[str, str], count: int = 1) -> list[str]:
        passes = self.client.get(f"/me/passes?count={count}", headers=headers).json()
        return [one["code"] for one in passes["items"]]

    def _check(self, answer: httpx.Response) -> None:
        answer.read()
        path = answer.request.url.path.removeprefix("/api")
        self._contract.check(answer.request.method, path, answer)
        # Serve's server names the request once; a second header of ours would contradict it one day.
        assert len(answer.headers.get_list("x-request-id")) == 1
        assert answer.headers["x-content-type-options"] == "nosniff"
