"""The log of a rush: every scan, and which members must be inside."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from cluster.load.oracle import AnswerLog
from cluster.load.scans import Scan
from domain.door.model import ScanAnswer


class Stage(StrEnum):
    """The stages of a rush. Latencies and the chart are of the rush itself only."""

    CLEARING = "clearing"  # members whom an earlier rush left inside leave
    FILLING = "filling"  # members who are inside when the clock begins enter
    RUSH = "rush"
    LETTING_OUT = "letting_out"


@dataclass(frozen=True, slots=True)
class RecordedScan:
    """A scan that was answered.

    Args:
        minute: simulated, after the beginning, of the answer.
        second: real, since the rush was started.
        took_s: from when the scan was due, so that a slow load generator does not make the doors look faster.
        late_s: between due and sent.
        repeats: how often the device had to send it again.
        is_held_up: a phone that was shown once more, which admits nobody.
    """

    stage: Stage
    gym_id: UUID
    minute: float
    second: float
    took_s: float
    late_s: float
    repeats: int
    answer: ScanAnswer
    is_held_up: bool = False


@dataclass(slots=True)
class RushLog:
    """Everything that happened.

    Args:
        stage: the current one. Each begins when every scan of the one before is over.
        records: answered scans, in the order of their answers.
        answers: their answers.
        recovered: lost answers that a device got by repeating its scan.
        recovered_otherwise: of these, those that differ from the first answer.
        rejected: requests that the stack rejected as such (4xx).
        forgotten: visitors who left without scanning.
        waiting: scans under way.
    """

    stage: Stage = Stage.CLEARING
    records: list[RecordedScan] = field(default_factory=list)
    answers: AnswerLog = field(default_factory=AnswerLog)
    recovered: int = 0
    recovered_otherwise: int = 0
    rejected: int = 0
    forgotten: int = 0
    waiting: int = 0

    def record(self, scan: Scan, record: RecordedScan) -> None:
        """Keep an answered scan."""
        self.records.append(record)
        self.answers.add(scan.device.id, scan.shown, record.answer, is_held_up=record.is_held_up)

    def recover(self, first: ScanAnswer, again: ScanAnswer) -> None:
        """Compare the answer to a repeated scan with the first one."""
        self.recovered += 1
        if not again.replayed or _content(first) != _content(again):
            self.recovered_otherwise += 1
            words = f"repeated, {first.outcome} became {again.outcome}, replayed {again.replayed}"
            self.answers.add_example(words)

    def of(self, stage: Stage) -> Sequence[RecordedScan]:
        """The scans of a stage."""
        return [record for record in self.records if record.stage is stage]

    def occupancy(self, gym_ids: Sequence[UUID]) -> list[int]:
        """How many must be inside each gym."""
        counted = Counter(self.answers.inside.values())
        return [counted[gym_id] for gym_id in gym_ids]


def _content(answer: ScanAnswer) -> tuple[object, ...]:
    return (
        *(answer.scan_id, answer.outcome, answer.reason, answer.remedy, answer.member),
        *(answer.gym_id, answer.occupancy, answer.capacity, answer.decided_at),
    )
