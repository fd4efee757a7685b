"""Rows that a batch adds, as they are written."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.door.model import Inferred, ScanAnswer, ScanRequest
from domain.literals import id_literal, instant_literal, word_literal


@dataclass(frozen=True, slots=True)
class NewScan:
    """A scan and its decision.

    Args:
        repeats_id: the scan whose answer was given again.
    """

    id: UUID
    request: ScanRequest
    answer: ScanAnswer
    visit_id: UUID | None
    repeats_id: UUID | None

    COLUMNS: ClassVar = (
        "id, scan_id, asked_by, gym_id, gate_id, direction, member_id, pass_status, pass_issued_at, scanned_at,"
        " arrived_at, decided_at, outcome, reason, remedy, occupancy, capacity, visit_id, repeats_id"
    )

    def literals(self, scan_id: str) -> str:
        """The values of `COLUMNS`.

        Args:
            scan_id: a parameter's mark; the id is the client's own.
        """
        asked, answer = self.request, self.answer
        reading = asked.reading
        return (
            f"{id_literal(self.id)},{scan_id},{id_literal(asked.asked_by)},{id_literal(asked.gym_id)},"
            f"{id_literal(asked.gate_id)},{word_literal(asked.direction)},{id_literal(reading.member_id)},"
            f"{word_literal(reading.status)},{instant_literal(reading.issued_at)},{instant_literal(asked.scanned_at)},"
            f"{instant_literal(asked.arrived_at)},{instant_literal(answer.decided_at)},"
            f"{word_literal(answer.outcome)},{word_literal(answer.reason)},{word_literal(answer.remedy)},{answer.occupancy:d},{answer.capacity:d},"
            f"{id_literal(self.visit_id)},{id_literal(self.repeats_id)}"
        )


@dataclass(slots=True)
class NewVisit:
    """A visit that begins, and may end at once; one that a head count adds has no member, gate or scan."""

    id: UUID
    gym_id: UUID
    member_id: UUID | None
    gate_id: UUID | None
    pass_issued_at: datetime | None
    entered_at: datetime
    entered_scan: UUID | None
    left_at: datetime | None = None
    left_scan: UUID | None = None
    inferred: Inferred | None = None

    COLUMNS: ClassVar = (
        "id, gym_id, member_id, gate_id, pass_issued_at, entered_at, entered_scan, left_at, left_scan, inferred"
    )
    OPEN_COLUMNS: ClassVar = "visit_id, gym_id, member_id, entered_at"

    def literals(self) -> str:
        """The values of `COLUMNS`."""
        return (
            f"{id_literal(self.id)},{id_literal(self.gym_id)},{id_literal(self.member_id)},{id_literal(self.gate_id)},"
            f"{instant_literal(self.pass_issued_at)},{instant_literal(self.entered_at)},{id_literal(self.entered_scan)},"
            f"{instant_literal(self.left_at)},{id_literal(self.left_scan)},{word_literal(self.inferred)}"
        )

    def open_literals(self) -> str:
        """The values of `OPEN_COLUMNS`, in `open_visits`."""
        return (
            f"{id_literal(self.id)},{id_literal(self.gym_id)},{id_literal(self.member_id)},"
            f"{instant_literal(self.entered_at)}"
        )
