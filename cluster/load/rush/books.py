"""What a rush has asked and heard, and who must be inside by it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from cluster.load.rush.scanner import Asked
from domain.door.model import Outcome, Reason, ScanAnswer

LATE_S = 0.1
_EXAMPLES = 5


class Stage(StrEnum):
    """What a scan belongs to. Figures of speed and the picture are of the rush alone."""

    CLEARING = "clearing"  # whom an earlier rush left inside goes out
    FILLING = "filling"  # who is inside already when the clock begins comes in
    RUSH = "rush"
    LETTING_OUT = "letting_out"


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer.

    Args:
        minute: simulated, after the beginning, when it was heard.
        second: real, since the command began to ask.
        took_s: from when the scan was due; so a generator that is late does not flatter the door.
        late_s: between due and sent.
        repeats: how often the device had to ask again.
        is_held_up: a phone shown once more: that admits nobody again.
    """

    stage: Stage
    gym: int
    minute: float
    second: float
    took_s: float
    late_s: float
    repeats: int
    answer: ScanAnswer
    is_held_up: bool = False


@dataclass(slots=True)
class Books:
    """Everything that was heard, in the order in which it was.

    Args:
        inside: who must be inside which gym, by place in its row.
        retold: how many answers a device asked for once more, having lost them.
        retold_otherwise: of these, how many said something else than the first time.
        unanswered: scans on which nothing was heard.
        refused_questions: scans that the stack refused as such.
        wrong: answers that say what they must not.
        too_late: answers that came too late to be good.
        waiting: scans under way.
    """

    heard: list[Heard] = field(default_factory=list)
    answers: list[tuple[UUID, ScanAnswer]] = field(default_factory=list)
    inside: dict[UUID, int] = field(default_factory=dict)
    retold: int = 0
    retold_otherwise: int = 0
    unanswered: list[Asked] = field(default_factory=list)
    refused_questions: int = 0
    wrong: int = 0
    too_late: int = 0
    waiting: int = 0
    forgotten: int = 0
    admitted_codes: Counter[tuple[UUID, int]] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def hear(self, asked: Asked, heard: Heard) -> None:
        """Keep an answer."""
        answer = heard.answer
        self.heard.append(heard)
        self.answers.append((asked.device_id, answer))
        if answer.reason is Reason.TOO_LATE:
            self.too_late += 1
        if answer.member is None:
            return
        if answer.outcome is Outcome.LEFT:
            self.inside.pop(answer.member.id, None)
        elif answer.outcome is Outcome.ENTERED:
            self.inside[answer.member.id] = asked.gate.gym
            if not heard.is_held_up:
                self.admitted_codes[asked.code.member_id, int(asked.code.issued_at.timestamp())] += 1

    def retell(self, first: ScanAnswer, again: ScanAnswer) -> None:
        """Keep the answer to a question that was asked once more."""
        self.retold += 1
        if not again.replayed or _said(first) != _said(again):
            self.retold_otherwise += 1
            self.tell(f"asked again, {first.outcome} became {again.outcome}, replayed {again.replayed}")

    def fault(self, words: str) -> None:
        """Keep a wrong answer."""
        self.wrong += 1
        self.tell(words)

    def tell(self, example: str) -> None:
        """Keep an example of what went wrong, if there are not enough of them."""
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example)

    def of(self, stage: Stage) -> Sequence[Heard]:
        """What was heard in a stage."""
        return [heard for heard in self.heard if heard.stage is stage]

    def occupancy(self, gyms: int) -> list[int]:
        """How many must be inside each gym."""
        counted = Counter(self.inside.values())
        return [counted[gym] for gym in range(gyms)]


def _said(answer: ScanAnswer) -> tuple[object, ...]:
    return (
        *(answer.scan_id, answer.outcome, answer.reason, answer.remedy, answer.member),
        *(answer.gym_id, answer.occupancy, answer.capacity, answer.decided_at),
    )
