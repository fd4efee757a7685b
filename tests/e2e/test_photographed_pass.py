"""A pass as a phone shows it, photographed badly, at a door of the full profile: MariaDB, Kafka, Ray Serve."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import zxingcpp
from PIL import Image

from tests.pictures import bad_photograph
from tests.stacks import TestedStack

WINDOW_S = 3.0  # shortened, so that the test need not hold a phone up for long


@pytest.fixture(scope="module")
def stack() -> Iterator[TestedStack]:
    # Not pytest's own temporary folder: that is closed to the user that MariaDB runs as.
    folder = Path(tempfile.mkdtemp(prefix="fm-e2e-"))
    folder.chmod(0o711)
    stack = TestedStack(folder, profile="full", environment={"FITMONITOR_DOOR__REPEAT_WINDOW_S": str(WINDOW_S)})
    try:
        stack.start()
        yield stack
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def client(stack: TestedStack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{stack.port}/api", timeout=10) as client:
        yield client


def photograph(stack: TestedStack, client: httpx.Client, email: str, file: Path) -> str:
    """Take a bad picture of the pass that a member's phone shows now.

    Returns:
        The code on it, as another decoder than ours reads it.
    """
    token = stack.run("token", email).stdout.strip()
    shown = client.get("/me/pass.png", headers={"Authorization": f"Bearer {token}"})
    assert shown.headers["content-type"] == "image/png"
    taken = bad_photograph(shown.content, rotation=8, perspective=0.12, blur=1.0, noise=9, shadow=0.2, jpeg_quality=55)
    file.write_bytes(taken)
    with Image.open(file) as picture:
        (read,) = zxingcpp.read_barcodes(picture)
    return read.text


def fresh_photograph(stack: TestedStack, client: httpx.Client, email: str, file: Path, old: str) -> str:
    """The same a while later, when the phone shows another code and is no longer held up."""
    time.sleep(WINDOW_S)
    deadline = time.monotonic() + 30
    while (code := photograph(stack, client, email, file)) == old:
        assert time.monotonic() < deadline, "the code does not rotate"
        time.sleep(0.5)
    return code


def test_in_with_one_photograph_out_with_the_next_and_never_again_with_the_first(
    stack: TestedStack, client: httpx.Client, tmp_path: Path
) -> None:
    demo = json.loads(stack.demo())
    gate = demo["gyms"][0]["gates"][0]

    def scan(code: str) -> dict[str, Any]:
        answer = client.post(
            "/scans",
            json={"code": code, "gate_id": gate["id"], "direction": "auto", "scan_id": str(uuid4())},
            headers={"Authorization": f"Device {gate['device']}"},
        )
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    email = demo["members"][0]["email"]
    first = photograph(stack, client, email, tmp_path / "first.jpg")
    entered = scan(first)
    assert (entered["outcome"], entered["member"]["name"]) == ("entered", demo["members"][0]["name"])
    second = fresh_photograph(stack, client, email, tmp_path / "second.jpg", first)
    assert scan(second)["outcome"] == "left"
    time.sleep(WINDOW_S)
    again = scan(first)
    assert (again["outcome"], again["reason"] in {"used_pass", "expired_pass"}) == ("refused", True)
    assert stack.run("reconcile").returncode == 0


def test_the_command_line_scans_photographs_too(stack: TestedStack, client: httpx.Client, tmp_path: Path) -> None:
    email = json.loads(stack.demo())["members"][1]["email"]
    file = tmp_path / "pass.jpg"
    first = photograph(stack, client, email, file)
    kept = tmp_path / "kept.jpg"
    kept.write_bytes(file.read_bytes())
    assert said(stack, file)["outcome"] == "entered"
    fresh_photograph(stack, client, email, file, first)
    assert said(stack, file)["outcome"] == "left"
    time.sleep(WINDOW_S)
    refused = stack.run("scan", str(kept), "--json")
    assert (json.loads(refused.stdout)["outcome"], refused.returncode) == ("refused", 3)


def said(stack: TestedStack, picture: Path) -> dict[str, Any]:
    done = stack.run("scan", str(picture), "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
