"""Signing up and in at a running system: mail, two gateways, the sign-in page, the existing client's calls."""

import email
import io
import json
import re
import time
from collections.abc import Iterator
from email.policy import default
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from PIL import Image

from tests.contract.openapi_contract import OpenApiContract
from tests.stacks import TestedStack

PASSWORD = "tall ships in may"  # noqa: S105 - of nobody
EVERYWHERE_WITHIN_S = 6.0  # 5 s is the rule; the rest is the asking


class Installation:
    """A running stack, each answer of its interface held to the OpenAPI document."""

    def __init__(self, stack: TestedStack) -> None:
        self.stack = stack
        self.url = stack.record.url
        self.client = httpx.Client(base_url=f"{self.url}/api", timeout=20, event_hooks={"response": [self._check]})
        self._contract = OpenApiContract(httpx.get(f"{self.url}/api/openapi.json", timeout=20).json())

    def _check(self, answer: httpx.Response) -> None:
        answer.read()
        self._contract.check(answer.request.method, answer.request.url.path.removeprefix("/api"), answer)

    def code_for(self, address: str) -> str:
        """The code in the newest mail to an address, as it lies in the stack's folder."""
        give_up = time.monotonic() + 10
        while time.monotonic() < give_up:
            for file in sorted((self.stack.data_dir / "mail").glob("*.eml"), reverse=True):
                mail = email.message_from_bytes(file.read_bytes(), policy=default)
                found = re.search(r"\b\d{6}\b", mail.get_content()) if mail["to"] == address else None
                if found:
                    return found.group()
            time.sleep(0.1)
        raise AssertionError(f"no code was sent to {address}")

    def sign_up(self, address: str) -> None:
        wanted = {"email": address, "password": PASSWORD, "name": "Mia Ruiz"}
        assert self.client.post("/sign-up", json=wanted).status_code == 202
        confirmation = {"email": address, "code": self.code_for(address)}
        assert self.client.post("/sign-up/confirm", json=confirmation).status_code == 204

    def sign_in(self, address: str, password: str = PASSWORD) -> dict[str, str]:
        answer = self.client.post("/sessions", json={"email": address, "password": password})
        assert answer.status_code == 201, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def everywhere(self, headers: dict[str, str], path: str, status: int) -> None:
        """Wait until each of many connections gets this status, and none gets another one again."""
        give_up = time.monotonic() + EVERYWHERE_WITHIN_S
        while {httpx.get(f"{self.url}/api{path}", headers=headers).status_code for _ in range(12)} != {status}:
            assert time.monotonic() < give_up
            time.sleep(0.2)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    # Real parts, SMTP among them; on embedded ones the same calls are tested in tests/unit/gateway.
    stack = TestedStack(
        tmp_path_factory.mktemp("identity"), profile="full", environment={"FITMONITOR_DEFAULT_STAGE__ENABLED": "true"}
    )
    try:
        stack.start()
        installation = Installation(stack)
        yield installation
        installation.client.close()
    finally:
        stack.down()


def test_a_member_signs_up_by_mail_signs_in_and_out_everywhere(installation: Installation) -> None:
    installation.stack.redeploy(_two_gateways)
    installation.sign_up("mia@example.org")
    headers = installation.sign_in("mia@example.org")
    assert installation.client.get("/me", headers=headers).json()["name"] == "Mia Ruiz"
    installation.everywhere(headers, "/me", 200)
    assert installation.client.delete("/sessions/current", headers=headers).status_code == 204
    installation.everywhere(headers, "/me", 401)


def test_an_admin_made_by_the_command_gives_and_takes_roles(installation: Installation) -> None:
    made = installation.stack.run("admin", "create", "olga@example.org", "--json")
    assert made.returncode == 0, made.stderr
    admin = installation.sign_in("olga@example.org", json.loads(made.stdout)["password"])
    installation.sign_up("ben@example.org")
    ben = installation.sign_in("ben@example.org")
    me = installation.client.get("/me", headers=ben).json()["id"]
    assert installation.client.get("/users", headers=ben).status_code == 403
    assert installation.client.put(f"/users/{me}/roles/Staff", headers=admin).json()["roles"] == ["User", "Staff"]
    staff = installation.sign_in("ben@example.org")
    installation.everywhere(staff, "/users", 200)
    assert installation.client.delete(f"/users/{me}/roles/Staff", headers=admin).status_code == 200
    installation.everywhere(staff, "/users", 403)
    assert installation.client.post(f"/users/{me}/disable", headers=admin).json()["state"] == "disabled"
    installation.everywhere(staff, "/me", 401)


def test_the_demo_s_people_sign_in_with_what_was_printed(installation: Installation) -> None:
    demo = json.loads(installation.stack.demo())
    for who, path in ((demo["admin"], "/users"), (demo["staff"], "/users"), (demo["members"][0], "/me/visits")):
        assert who["password"] in installation.stack.said()
        headers = installation.sign_in(who["email"], who["password"])
        assert installation.client.get(path, headers=headers).status_code == 200


def test_the_existing_client_signs_in_lets_a_member_in_and_keeps_machines(
    installation: Installation,
) -> None:
    demo = json.loads(installation.stack.demo())
    page = f"{installation.url}/api/identity/oauth2/authorize"
    asked = {"client_id": "fitmonitor-local", "redirect_uri": f"{installation.url}/", "response_type": "code"}
    shown = httpx.get(page, params=asked)
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', shown.text))
    form = {name: unescape(value) for name, value in hidden.items()}
    form |= {"email": demo["admin"]["email"], "password": demo["admin"]["password"]}
    sent = httpx.post(page, content=urlencode(form), headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert sent.status_code == 303, sent.text
    code = parse_qs(urlsplit(sent.headers["location"]).query)["code"][0]
    with httpx.Client(base_url=f"{installation.url}/default", timeout=20) as client:
        answers = [client.get("/api/token/get", params={"code": code}) for _ in range(2)]
        assert answers[0].text == answers[1].text
        assert answers[0].json()["roles"][-1] == "Admin"
        headers = {"Authorization": f"Bearer {json.loads(answers[0].json()['token'])['id_token']}"}
        listed = client.get("/GetAllUsers", headers=headers).json()
        assert demo["admin"]["email"] in {user["email"] for user in listed}
        member = next(one["email"] for one in demo["members"][1:] if one["state"] == "active")
        shown_pass = installation.stack.run("pass", "show", member, "--code").stdout.strip()
        holder = client.post("/api/qr/validate", json={"qrToken": shown_pass}, headers=headers).json()
        assert holder["username"] == member
        entered = client.post("/api/qr/gym_entrance", json={"token": shown_pass}, headers=headers)
        assert (entered.status_code, entered.text) == (200, "Entered")
        assert client.get("/api/gyms/occupancy?id=1", headers=headers).json() >= 1
        assert client.get("/api/gyms?id=1", headers=headers).json()["usersInGym"]
        form = {"name": "Rower", "description": "", "available": "true"}
        picture = {"image": ("rower.png", drawn(), "image/png")}
        machine = client.post("/api/gyms/machine", data=form, files=picture, headers=headers).json()
        assert (machine["available"], machine["userSub"], machine["gym"]) == (True, None, 1)
        image = client.get("/api/gyms/machine/image", params={"imagePath": machine["imagePath"]}, headers=headers)
        assert (image.status_code, image.headers["content-type"]) == (200, "image/webp")
        wish = {"machineId": machine["id"], "intention": "use"}
        assert client.post("/api/qr/machine", json=wish, headers=headers).text == "User not in gym"
        assert client.delete(f"/api/gyms/machine?id={machine['id']}", headers=headers).json() == machine


def drawn() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (60, 40), "teal").save(file, "PNG")
    return file.getvalue()


def _two_gateways(config: dict[str, object]) -> None:
    applications: list[dict[str, list[dict[str, object]]]] = config["applications"]  # type: ignore[assignment]
    gateway = next(one for app in applications for one in app["deployments"] if one["name"] == "Gateway")
    gateway.pop("autoscaling_config", None)
    gateway["num_replicas"] = 2
