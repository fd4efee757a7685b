"""Every answer that the door gave to a bench, and what was wrong among them."""

from dataclasses import dataclass, field
from uuid import UUID

from cluster.load.answer_checks import Checked
from domain.door.model import ScanAnswer

_EXAMPLES = 5


@dataclass(slots=True)
class Ledger:
    """One for a whole bench: at its end the store is compared with it.

    Args:
        answers: each with who asked, in the order in which they were given to any one member.
        errors: questions that stayed without an answer.
        errors_around: of these, those outside of what is measured: filling the gyms, warming up.
        wrong_around: wrong answers outside of what is measured.
        examples: a few of what went wrong, in words.
    """

    answers: list[tuple[UUID, ScanAnswer]] = field(default_factory=list)
    errors: int = 0
    errors_around: int = 0
    wrong_around: int = 0
    examples: list[str] = field(default_factory=list)

    def take(self, checked: Checked, *, around: bool = False) -> None:
        """Keep what a measurement brought."""
        self.answers += checked.answers
        self.errors += checked.errors
        for example in checked.examples:
            self.tell(example)
        if around:
            self.errors_around += checked.errors
            self.wrong_around += checked.wrong

    def tell(self, example: str) -> None:
        """Keep an example, if there are not enough of them."""
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example)
