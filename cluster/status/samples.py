"""What Ray publishes of itself and of us, as Prometheus text."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

_LINE = re.compile(r"^(\w+)\{(.*)\} (\S+)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Sample:
    """One number of one series."""

    name: str
    labels: Mapping[str, str]
    value: float


def read_samples(text: str, names: Collection[str]) -> Iterator[Sample]:
    """The samples of some metrics; lines that are none are passed over.

    Args:
        text: as in <https://prometheus.io/docs/instrumenting/exposition_formats/>.
        names: the metrics that are wanted, as they stand in the text.
    """
    for name, labels, value in _LINE.findall(text):
        if name in names:
            try:
                yield Sample(name, dict(_LABEL.findall(labels)), float(value))
            except ValueError:
                continue
