import re
from pathlib import Path

from integrations.metrics import METRICS, MetricKind, table

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_document_lists_what_the_code_defines() -> None:
    assert table() in DOCUMENT.read_text(encoding="utf-8"), "python -m integrations.metrics writes the list"


def test_the_document_names_no_unknown_metric() -> None:
    known = {metric.name for metric in METRICS}
    histograms = {metric.name for metric in METRICS if metric.kind is MetricKind.HISTOGRAM}
    known |= {name + part for name in histograms for part in ("_bucket", "_sum", "_count")}
    spoken_of = {name.removesuffix("_total") for name in re.findall(r"fitmonitor_\w+", DOCUMENT.read_text("utf-8"))}
    assert spoken_of <= known


def test_names_are_valid_and_unique() -> None:
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"fitmonitor_[a-z_]+[a-z]", name) for name in names)
    assert all(metric.description.isascii() for metric in METRICS), "Ray takes no other letters"
    assert all(bool(metric.bounds) == (metric.kind is MetricKind.HISTOGRAM) for metric in METRICS)
    assert all(list(metric.bounds) == sorted(set(metric.bounds)) for metric in METRICS)
