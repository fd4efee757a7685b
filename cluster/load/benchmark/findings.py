"""What a whole bench found."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cluster.load.answer_checks import Stored
from cluster.load.benchmark.burst import Burst
from cluster.load.benchmark.closed_loop import Level
from cluster.load.benchmark.inside import Compared
from cluster.load.benchmark.large import Large
from cluster.load.benchmark.measurements import Rate
from cluster.load.benchmark.open_loop import OpenLoop


@dataclass(frozen=True, slots=True)
class Findings:
    """A whole bench.

    Args:
        durability: the settings that were found, by name.
        load: what was loaded and asked.
        levels: in the order in which they were measured.
        around: errors and wrong answers in the scans around the measured ones: filling the gyms, warming up.
        stored: how the store compares with the answers.
        disagreements: between the tables of the door.
        examples: of what went wrong.
        open_loop, burst, inside, large: the other parts; None where they were not measured.
    """

    durability: Mapping[str, str]
    load: Mapping[str, Any]
    levels: Sequence[Level]
    around: Mapping[str, int]
    stored: Stored
    disagreements: Sequence[str]
    examples: Sequence[str]
    open_loop: OpenLoop | None = None
    burst: Burst | None = None
    inside: Compared | None = None
    large: Large | None = None

    @property
    def is_good(self) -> bool:
        """Whether every answer came, was right, and was kept."""
        measured = all(part.is_good for part in (*self.levels, *self._parts().values()))
        kept = not (self.stored.lost or self.stored.stored_otherwise or self.stored.wrongly_inside)
        return measured and not any(self.around.values()) and kept and not self.disagreements

    @property
    def others_share(self) -> float:
        """The most that other programs used of the processors during a measurement of the levels; 0 to 1."""
        return max((rate.others_share for rate in self._rates()), default=0.0)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "durable": True,  # what is not is refused before anything is measured
            "durability": dict(self.durability),
            "load": dict(self.load),
            "runs": [level.as_json() for level in self.levels],
            **{name: part.as_json() for name, part in self._parts().items()},
            "around": dict(self.around),
            "store": asdict(self.stored),
            "disagreements": list(self.disagreements),
            "examples": list(self.examples),
            "good": self.is_good,
        }

    def _parts(self) -> Mapping[str, OpenLoop | Burst | Compared | Large]:
        parts = {"open": self.open_loop, "burst": self.burst, "inside": self.inside, "large": self.large}
        return {name: part for name, part in parts.items() if part is not None}

    def _rates(self) -> Iterator[Rate]:
        for level in self.levels:
            yield from (level.noop, level.lean_noop, level.scans.rate)
        for compared in (self.inside, self.large.compared if self.large else None):
            if compared is not None:
                yield from (run.rate for run in (*compared.without, *compared.under))
