"""Status reports of a stack that does not run, for tests of how they are drawn."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cluster.local.process import ProcessId
from cluster.local.stack_processes import PartStatus
from cluster.local.stack_record import StackRecord
from cluster.status.kafka import DeadLetterCount
from cluster.status.report import GymOccupancy, Report
from cluster.status.serve import ApplicationState, DeploymentState
from cluster.status.target import Target
from domain.ids import new_id
from integrations.kafka.group_lag import GroupLag, PartitionLag

PARTS = ("gym", "database", "qr", "scans", "kafka_replies", "payments")
DEPLOYMENTS = {
    "api": ("Gateway", "Gym", "Identity", "Payments", "QrIssuer"),
    "scans": ("QrScanner",),
    "live": ("Live",),
    "default_stage": ("DefaultStage",),
    "door_consumers": ("DoorConsumer",),
    "payment_consumers": ("PaymentConsumer",),
    "archive": ("ArchiveConsumer",),
}


def record(folder: Path, **changed: Any) -> StackRecord:  # noqa: ANN401 - its own fields
    """Of a stack whose supervisor is the process that asks."""
    fields: dict[str, Any] = {
        "profile": "embedded",
        "host": "127.0.0.1",
        "port": 8000,
        "data_dir": folder,
        "run_dir": folder / "run",
        "boot": 0.0,
        "supervisor": ProcessId.of(os.getpid()),
        "phase": "ready",
    }
    return StackRecord(**fields | changed)


def ready_body(*down: str) -> dict[str, Any]:
    """What `/api/ready` answers."""
    return {
        "ready": not set(down) - {"payments"},
        "parts": {name: {"ok": name not in down, "latency_ms": 3.21, "required": name != "payments"} for name in PARTS},
    }


def group(name: str, topic: str, lag: int = 0, *, end: int = 100, members: int | None = 1) -> GroupLag:
    """A consumer group on one partition."""
    state = None if members is None else "stable" if members else "empty"
    return GroupLag(name, topic, state, members, (PartitionLag(0, 0, end, end - lag, None),))


def report(folder: Path, **changed: Any) -> Report:  # noqa: ANN401 - its own fields
    """Of a stack in which all is well, unless said otherwise."""
    fields: dict[str, Any] = {
        "at": datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
        "target": Target("http://127.0.0.1:8000", "embedded", record(folder)),
        "http_status": 200,
        "readiness": ready_body(),
        "parts": [
            PartStatus("supervisor", "fitmonitor up", alive=True, pids=[11], pss_mib=31),
            PartStatus("mock broker", "mock_broker", alive=True, pids=[12], pss_mib=22),
            PartStatus("Ray", "ray::ServeReplica:api:Gateway", alive=True, pids=[13, 14], pss_mib=240),
        ],
        "serve": [
            ApplicationState(name, "running", tuple(DeploymentState(each, "healthy", 1, 1, 1) for each in deployments))
            for name, deployments in DEPLOYMENTS.items()
        ],
        "scans": {"entered": 12, "refused": 3},
        "kafka": [
            group("door-consumers", "door-commands"),
            group("payment-consumers", "payment-events", members=None),
            group("archive-consumers", "gym-events"),
        ],
        "dead_letters": DeadLetterCount(0, counted=True),
        "gyms": [GymOccupancy(new_id(), "Riverside", 12, 120), GymOccupancy(new_id(), "Old Mill", 60, 60)],
    }
    return Report(**fields | changed)
