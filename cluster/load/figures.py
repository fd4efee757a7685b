"""Arithmetic of figures: percentiles, ratios, rounding."""

import math
from collections.abc import Mapping, Sequence
from typing import Any


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest rank of values in ascending order; 0 where there are none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def ratio(part: float, whole: float) -> float:
    """One divided by the other; 0 where there is no other."""
    return part / whole if whole else 0.0


def rounded(figures: Mapping[str, Any], digits: int = 3) -> dict[str, Any]:
    """Figures with their fractions rounded to what a measurement can tell."""
    return {name: round(value, digits) if isinstance(value, float) else value for name, value in figures.items()}
