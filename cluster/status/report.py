"""The state of a stack at one moment, and its JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.local.stack_processes import PartStatus
from cluster.status.kafka import DeadLetterCount, Rates
from cluster.status.serve import ApplicationState
from cluster.status.target import Target
from integrations.kafka.group_lag import GroupLag

_OK = 200


@dataclass(frozen=True, slots=True)
class GymOccupancy:
    """An active gym, how many people are inside, and how many may be."""

    id: UUID
    name: str
    inside: int
    capacity: int


@dataclass(frozen=True, slots=True)
class Report:
    """The state of a stack.

    Args:
        http_status: of `/api/ready`; 0 without an answer.
        readiness: the body of `/api/ready`: JSON, else text.
        scans: number of decisions since the consumers started, by outcome.
        errors: by the name of a query that failed.
    """

    at: datetime
    target: Target
    http_status: int
    readiness: object
    parts: Sequence[PartStatus] = ()
    serve: Sequence[ApplicationState] = ()
    scans: Mapping[str, int] = field(default_factory=dict)
    kafka: Sequence[GroupLag] = ()
    dead_letters: DeadLetterCount | None = None
    gyms: Sequence[GymOccupancy] = ()
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def phase(self) -> str | None:
        """The phase that the supervisor has recorded; None of a stack on another machine."""
        return self.target.record.phase if self.target.record else None

    @property
    def ready(self) -> bool:
        """Whether scans are answered."""
        return self.http_status == _OK and self.phase in {"ready", None}

    @property
    def pss_mib(self) -> int:
        """Memory of all processes in MiB, shared pages counted once."""
        return sum(part.pss_mib for part in self.parts)

    @property
    def readiness_parts(self) -> Mapping[str, Mapping[str, Any]]:
        """The services in the answer of `/api/ready`; empty where it has none."""
        parts = self.readiness.get("parts") if isinstance(self.readiness, dict) else None
        return parts if isinstance(parts, dict) else {}


def report_as_json(report: Report, rates: Mapping[str, Rates]) -> dict[str, Any]:
    """The report as plain data. The value of a query that failed is null, and `troubles` has the error.

    Args:
        report: of a stack.
        rates: by consumer group; empty for the first report.
    """
    record, errors = report.target.record, report.errors
    return {
        "at": report.at,
        "url": report.target.url,
        "profile": report.target.profile or None,
        "phase": report.phase,
        "ready": report.ready,
        "readiness": report.readiness,
        "serve": None if "serve" in errors else report.serve,
        "scans": None if "serve" in errors else report.scans,
        "kafka": None
        if "kafka" in errors
        else [{**each.as_json(), "rates_per_s": rates.get(each.group)} for each in report.kafka],
        "dead_letters": report.dead_letters,
        "gyms": None if "gyms" in errors else report.gyms,
        "pss_mib": report.pss_mib,
        "addresses": record.addresses if record else {},
        "parts": report.parts,
        "troubles": errors,
    }
