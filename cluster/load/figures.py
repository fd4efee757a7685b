"""The result of a measurement: plain data with stable names, written as JSON and shown as tables."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

Figures = dict[str, Any]

_FAULTS = frozenset(
    {
        *("errors", "noop_errors", "occupancy_errors", "wrong_answers", "undecided"),
        *("lost", "stored_otherwise", "wrongly_inside", "occupancy_broken", "over_capacity", "admitted_twice"),
    }
)
_DISTURBANCES = frozenset({"others_cpu_share", "noop_others_cpu_share"})


def faults_in(figures: Figures) -> int:
    """Everything that went wrong: requests without the expected answer, wrong answers, a store that differs."""
    return int(sum(_named(figures, _FAULTS))) + len(figures.get("disagreements", ()))


def disturbance_in(figures: Figures) -> float:
    """The greatest share of the processors that other programs used during a measurement; 0 to 1."""
    return max(_named(figures, _DISTURBANCES), default=0.0)


def _named(figures: object, names: frozenset[str]) -> list[Any]:
    """The values of these names, at any depth."""
    if isinstance(figures, Mapping):
        here = [value for name, value in figures.items() if name in names]
        return here + [found for value in figures.values() for found in _named(value, names)]
    if isinstance(figures, Sequence) and not isinstance(figures, str):
        return [found for value in figures for found in _named(value, names)]
    return []


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest rank of values in ascending order; 0 where there are none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def ratio(part: float, whole: float) -> float:
    """One divided by the other; 0 where there is no other."""
    return part / whole if whole else 0.0


def rounded(figures: Mapping[str, Any], digits: int = 3) -> Figures:
    """Figures with their fractions rounded to what a measurement can tell."""
    return {name: round(value, digits) if isinstance(value, float) else value for name, value in figures.items()}
