"""A stack is backed up while its doors are in use, and restored into another folder."""

import io
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx
import jwt
import pytest
from PIL import Image

from tests.stacks import TestedStack
from tests.waiting import wait_until

pytestmark = [pytest.mark.soak("tools"), pytest.mark.timeout(900)]


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="fm-backup-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@dataclass
class Before:
    """What was seen at the first stack, to be seen again at the second."""

    password: str = ""
    machine: str = ""
    picture: bytes = b""
    invoice: str = ""
    pdf: bytes = b""
    codes: list[str] = field(default_factory=list)


class Doors:
    """Members who come and go by HTTP until it is enough."""

    def __init__(self, client: httpx.Client, demo: dict[str, Any], codes: list[list[str]]) -> None:
        self._client, self._codes = client, codes
        self._gate = demo["gyms"][0]["gates"][0]
        self._enough = Event()
        self._thread = Thread(target=self._go_on)
        self.waits: list[float] = []
        self.unanswered: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._enough.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._enough.is_set():
            for codes in self._codes:
                began = time.monotonic()
                answer = scan(self._client, self._gate, codes)
                self.waits.append(time.monotonic() - began)
                if answer.status_code != 200:
                    self.unanswered.append(answer.text)
            time.sleep(0.05)


def scan(client: httpx.Client, gate: dict[str, str], codes: list[str]) -> httpx.Response:
    """The code that a phone would show now, held up to a gate."""
    good = [code for code in codes if issued_at(code) <= time.time()]
    body = {"code": good[-1], "gate_id": gate["id"], "direction": "auto", "scan_id": str(uuid4())}
    return client.post("/scans", json=body, headers={"Authorization": f"Device {gate['device']}"})


def issued_at(code: str) -> int:
    claims: dict[str, Any] = jwt.decode(code, options={"verify_signature": False})
    return int(claims["iat"])


def test_a_backup_of_a_stack_in_use_is_restored_into_another_folder(folder: Path) -> None:
    file, late = folder / "backup", folder / "late"
    first, second = TestedStack(folder / "one"), TestedStack(folder / "two")
    for stack in (first, second):
        stack.data_dir.mkdir(parents=True)
    try:
        before = in_use(first, file)
        assert first.run("backup", str(late)).returncode == 0, "a stack that is down has a store too"
        refused = second.run("restore", str(folder / "up.log"))
        assert refused.returncode == 1
        assert "is not a backup" in refused.stderr or "No such file" in refused.stderr
        done = second.run("restore", str(file))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "fitmonitor up --profile embedded" in done.stdout
        assert second.run("restore", str(file)).returncode == 1, "it is not empty any more"
        second.start()
        seen_again(second, before)
        assert second.run("restore", str(late)).returncode == 1, "it is up"
    finally:
        first.down()
        second.down()


def in_use(stack: TestedStack, file: Path) -> Before:
    """Use a stack, back it up meanwhile, and stop it."""
    stack.start()
    demo = json.loads(stack.demo())
    active = [member["email"] for member in demo["members"] if member["state"] == "active"]
    before = Before(password=demo["admin"]["password"])
    with httpx.Client(base_url=f"{stack.record.url}/api", timeout=20) as client:
        admin = signed_in(client, demo["admin"]["email"], before.password)
        gym = demo["gyms"][0]["id"]
        image = io.BytesIO()
        Image.effect_noise((400, 300), 60).convert("RGB").save(image, "JPEG")
        made = client.post(
            f"/gyms/{gym}/machines",
            data={"name": "Rower", "type": "rower", "description": ""},
            files={"image": ("rower.jpg", image.getvalue(), "image/jpeg")},
            headers=admin,
        )
        assert made.status_code == 201, made.text
        before.machine = made.json()["id"]
        before.picture = client.get(f"/machines/{before.machine}/image", headers=admin).content
        plan = client.get("/plans").json()["items"][0]["id"]
        buyer = client.get("/me", headers=bearer(stack, active[9])).json()["id"]
        sold = client.post(
            "/desk-payments", json={"member_id": buyer, "plan_id": plan, "method": "cash"}, headers=admin
        )
        assert sold.status_code == 201, sold.text
        (invoice,) = client.get(f"/members/{buyer}/invoices", headers=admin).json()["items"]
        before.invoice = invoice["id"]
        before.pdf = client.get(f"/invoices/{before.invoice}.pdf", headers=admin).content
        phones = [codes_of(client, bearer(stack, email)) for email in active[:4]]
        before.codes = codes_of(client, bearer(stack, active[5]))
        with Doors(client, demo, phones) as doors:
            wait_until(lambda: len(doors.waits) > 20, 60, lambda: doors.unanswered)
            answered = len(doors.waits)
            done = stack.run("backup", str(file), "--json")
            during = len(doors.waits) - answered
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert doors.unanswered == []
        assert during > 5, "doors were in use meanwhile"
        assert 0 < said["rows"]["scans"] < len(doors.waits)
        assert said["left_out"] == said["missing_pictures"] == []
        print(f"slowest scan {max(doors.waits):.2f} s; backup {said['seconds']} s, {during} scans meanwhile")  # noqa: T201
    assert stack.run("restore", str(file), "--check").returncode == 0
    assert stack.run("restore", str(file)).returncode == 1, "it is up"
    assert stack.run("reconcile").returncode == 0
    assert stack.down().returncode == 0
    return before


def seen_again(stack: TestedStack, before: Before) -> None:
    """Everything that the first stack showed, at the second."""
    demo = json.loads(stack.demo())
    assert stack.run("reconcile").returncode == 0
    assert stack.run("payments", "check").returncode == 0
    with httpx.Client(base_url=f"{stack.record.url}/api", timeout=20) as client:
        admin = signed_in(client, demo["admin"]["email"], before.password)
        assert client.get(f"/machines/{before.machine}/image", headers=admin).content == before.picture
        assert client.get(f"/invoices/{before.invoice}.pdf", headers=admin).content == before.pdf
        answer = scan(client, demo["gyms"][0]["gates"][0], before.codes).json()
        assert (answer["outcome"], answer["reason"]) == ("entered", None), answer
        url = client.post("/checkouts", json={"plan_id": client.get("/plans").json()["items"][0]["id"]}, headers=admin)
        assert url.status_code == 201, "the payment sandbox knows its key"


def signed_in(client: httpx.Client, email: str, password: str) -> dict[str, str]:
    answer = client.post("/sessions", json={"email": email, "password": password})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def bearer(stack: TestedStack, email: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {stack.run('token', email).stdout.strip()}"}


def codes_of(client: httpx.Client, headers: dict[str, str]) -> list[str]:
    """The member's codes of the next ten minutes."""
    return [each["code"] for each in client.get("/me/passes?count=40", headers=headers).json()["items"]]
