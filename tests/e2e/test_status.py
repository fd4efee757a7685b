"""`fitmonitor status`, `doctor` and `pass show` on a stack that runs."""

import json
from typing import Any

from tests.e2e.api import Api, Gate
from tests.e2e.commands import Commands
from tests.waiting import wait_until

# Ray publishes what Serve says now and then.
TOLD_WITHIN_S = 60.0


def is_all_told(status: dict[str, Any]) -> bool:
    return bool(status["serve"]) and all(
        application["status"] == "running"
        and all(each["status"] == "healthy" and each["healthy"] for each in application["deployments"])
        for application in status["serve"]
    )


def inside(fm: Commands, gate: Gate) -> list[int]:
    return [gym["inside"] for gym in fm.json("status")["gyms"] if gym["id"] == gate.gym]


def test_every_piece_is_reported(fm: Commands) -> None:
    wait_until(lambda: is_all_told(fm.json("status")), TOLD_WITHIN_S, lambda: fm.json("status")["serve"])
    status = fm.json("status")
    assert status["troubles"] == {}
    assert set(status["readiness"]["parts"]) == {"gym", "database", "qr", "scans", "kafka_replies", "payments"}
    deployments = {each["name"]: each for application in status["serve"] for each in application["deployments"]}
    doors = {"Gateway", "Gym", "QrIssuer", "QrScanner", "Identity", "Payments", "DoorConsumer", "PaymentConsumer"}
    assert doors | {"Live", "DefaultStage", "ArchiveConsumer"} == set(deployments)
    assert all(each["running"] >= each["target"] >= 1 for each in deployments.values())
    groups = [group["group"] for group in status["kafka"]]
    assert groups == ["door-consumers", "payment-consumers", "archive-consumers"]
    assert status["dead_letters"] == {"waiting": 0, "counted": True}


def test_a_scan_changes_it(stack: Api, fm: Commands) -> None:
    gate = stack.gates()[0]
    assert inside(fm, gate) == [0]
    code = fm.said("pass", "show", stack.member(), "--code").strip()
    fm.said("scan", code, "--gate", gate.id, "--device", gate.device)
    assert inside(fm, gate) == [1]


def test_a_person_sees_the_same(fm: Commands) -> None:
    told = fm.said("status")
    for shown in ("ready", "kafka_replies", "PaymentConsumer", "door-consumers", "dead letters waiting: 0", "MiB"):
        assert shown in told


def test_doctor_asks_the_servers_of_the_stack_that_is_up(fm: Commands) -> None:
    told = fm.run("doctor", "--json").stdout  # its exit code is about this machine
    findings = {finding["what"]: finding for finding in json.loads(told)}
    for what in ("port", "leftovers", "API", "database", "schema", "Kafka", "topics"):
        assert findings[what]["good"], findings[what]
    assert "used by the running stack" in findings["port"]["found"]
