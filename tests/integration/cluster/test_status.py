"""`fitmonitor status`, `doctor` and `pass show` on a stack that runs."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stacks import TestedStack

pytestmark = pytest.mark.timeout(400)

# Ray publishes what Serve says every ten seconds.
TOLD_WITHIN_S = 60.0


@pytest.fixture(scope="module")
def stack() -> Iterator[TestedStack]:
    folder = Path(tempfile.mkdtemp(prefix="fm-status-"))
    tested = TestedStack(folder)
    try:
        tested.start()
        yield tested
    finally:
        tested.down()
        shutil.rmtree(folder, ignore_errors=True)


def told(stack: TestedStack) -> dict[str, Any]:
    done = stack.run("status", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def all_is_told(status: dict[str, Any]) -> bool:
    return bool(status["serve"]) and all(
        application["status"] == "running"
        and all(each["status"] == "healthy" and each["healthy"] for each in application["deployments"])
        for application in status["serve"]
    )


def test_every_piece_is_told_and_a_scan_changes_it(stack: TestedStack) -> None:
    until = time.monotonic() + TOLD_WITHIN_S
    while not all_is_told(status := told(stack)):
        assert time.monotonic() < until, status["serve"]
        time.sleep(2)
    assert status["troubles"] == {}
    assert set(status["readiness"]["parts"]) == {"gym", "database", "qr", "kafka_replies", "payments"}
    deployments = {each["name"]: each for application in status["serve"] for each in application["deployments"]}
    assert {"Gateway", "Gym", "Qr", "Identity", "Payments", "DoorConsumer", "PaymentConsumer"} == set(deployments)
    assert all(each["running"] >= each["target"] >= 1 for each in deployments.values())
    assert [group["group"] for group in status["kafka"]] == ["door-consumers", "payment-consumers"]
    assert status["dead_letters"] == {"waiting": 0, "counted": True}
    assert sum(gym["inside"] for gym in status["gyms"]) == 0
    member = json.loads(stack.demo())["members"][0]["email"]
    code = stack.run("pass", "show", member, "--code").stdout.strip()
    assert stack.run("scan", code).returncode == 0
    assert sum(gym["inside"] for gym in told(stack)["gyms"]) == 1


def test_a_person_sees_the_same(stack: TestedStack) -> None:
    done = stack.run("status")
    assert done.returncode == 0, done.stderr
    for shown in ("ready", "kafka_replies", "PaymentConsumer", "door-consumers", "dead letters waiting: 0", "MiB"):
        assert shown in done.stdout


def test_doctor_asks_the_servers_of_the_stack_that_is_up(stack: TestedStack) -> None:
    done = stack.run("doctor", "--json")
    findings = {finding["what"]: finding for finding in json.loads(done.stdout)}
    for what in ("port", "leftovers", "API", "database", "schema", "Kafka", "topics"):
        assert findings[what]["good"], findings[what]
    assert "held by the stack that is up" in findings["port"]["found"]
