"""What a test measured, written where pytest shows it."""

from collections import Counter
from collections.abc import Callable, Sequence
from http import HTTPStatus
from uuid import UUID

from tests.faults.door_load import Doors, longest_gap, p99
from tests.faults.scanning_devices import Decided


class Figures:
    """Writes what was measured into the test's report (`-rP`, or `--junitxml`)."""

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self._record = record

    def tell(self, name: str, value: object) -> None:
        shown = f"{value:.2f}" if isinstance(value, float) else str(value)
        self._record(name, shown)
        print(f"{name}: {shown}")  # noqa: T201 - shown by pytest on demand

    def of(self, doors: Doors, start: float, end: float) -> tuple[float, float]:
        """Tell the longest whiles without a decision: of all gyms together, and of the one that waited longest."""
        decided = doors.between(start, end)
        overall = doors.longest_gap(start, end)
        gyms = {one.scan.device.gym_id for one in doors.decided}
        of_a_gym = max(longest_gap(_at(decided, gym), start, end) for gym in gyms)
        asked = [one for one in doors.said if start <= one.asked_at <= end]
        self.tell("longest gap, s", overall)
        self.tell("longest gap of one gym, s", of_a_gym)
        self.tell("doors' own stall, s", doors.longest_stall(start, end))
        self.tell("decided", len(decided))
        slow = sorted((one for one in asked if one.status), key=lambda one: one.took_s)[-3:]
        self.tell("slowest answers", [f"{one.took_s:.2f} s: {one.status} {one.code}" for one in slow])
        answered = sorted(one.took_s for one in asked if one.status == HTTPStatus.OK)
        if answered:
            self.tell("answered: p50, ms", answered[len(answered) // 2] * 1000)
            self.tell("answered: p99, ms", p99(answered) * 1000)
        self.tell("said", dict(Counter(f"{one.status} {one.code}".strip() for one in asked)))
        self.tell("outcomes", dict(Counter(str(one.answer.reason or one.answer.outcome) for one in decided)))
        return overall, of_a_gym


def _at(decided: Sequence[Decided], gym: UUID) -> list[float]:
    return [one.at for one in decided if one.scan.device.gym_id == gym]
