"""Counts metrics in memory, and exports them to Ray from a thread every few seconds.

One observation in Ray costs about as much as fifty here, and Ray publishes its values only every ten seconds.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from threading import Event, Lock, Thread
from typing import Any, Protocol

import structlog

from integrations.metrics import Metric, MetricKind

_log = structlog.get_logger(__name__)

_EXPORT_INTERVAL_S = 5.0

Tags = tuple[str, ...]


class CounterValues:
    """The values of a counter, one per combination of tags. Thread-safe."""

    def __init__(self) -> None:
        self._values: dict[Tags, float] = defaultdict(float)
        self._lock = Lock()

    def add(self, amount: float, *tags: str) -> None:
        """Increase one series."""
        with self._lock:
            self._values[tags] += amount

    def add_all(self, amounts: Mapping[Tags, int]) -> None:
        """Increase several series, for example once per batch."""
        with self._lock:
            for tags, amount in amounts.items():
                self._values[tags] += amount

    def snapshot(self) -> Mapping[Tags, float]:
        """The present values of all series."""
        with self._lock:
            return dict(self._values)


class HistogramValues:
    """The buckets of a histogram. Thread-safe.

    Args:
        bounds: the upper bounds of the buckets, in ascending order.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._lock = Lock()

    def observe(self, value: float) -> None:
        """Add one value."""
        with self._lock:
            self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += value

    def observe_all(self, values: Iterable[float]) -> None:
        """Add several values, for example once per batch."""
        with self._lock:
            for value in values:
                self._counts[bisect_left(self._bounds, value)] += 1
                self._sum += value

    def snapshot(self) -> tuple[Mapping[Tags, float], float]:
        """The cumulative count for each upper bound, and the sum of all values."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        cumulative = 0
        by_bound: dict[Tags, float] = {}
        for bound, count in zip([*(f"{bound:g}" for bound in self._bounds), "+Inf"], counts, strict=True):
            cumulative += count
            by_bound[bound,] = float(cumulative)
        return by_bound, total


class MetricsExporter(Protocol):
    """Where metrics are exported to."""

    def add(self, name: str, description: str, tags: Mapping[str, str], amount: float) -> None:
        """Increase a counter by an amount above zero."""

    def put(self, name: str, description: str, tags: Mapping[str, str], value: float) -> None:
        """Set a gauge."""


class MetricsRegistry:
    """The metrics of one process. They are exported once `start` was called."""

    def __init__(self) -> None:
        self._counters: dict[Metric, CounterValues] = {}
        self._histograms: dict[Metric, HistogramValues] = {}
        self._callbacks: list[tuple[Metric, Tags, Callable[[], float]]] = []
        self._exported: dict[tuple[str, Tags], float] = {}
        self._stopping = Event()
        self._thread: Thread | None = None

    def counter(self, metric: Metric) -> CounterValues:
        """The counter of a metric."""
        return self._counters.setdefault(metric, CounterValues())

    def histogram(self, metric: Metric) -> HistogramValues:
        """The histogram of a metric."""
        return self._histograms.setdefault(metric, HistogramValues(metric.bounds))

    def add_callback(self, metric: Metric, read: Callable[[], float], *tags: str) -> None:
        """Read a value at each export: the present value of a gauge, or the total of a counter."""
        self._callbacks.append((metric, tags, read))

    def start(self, open_exporter: Callable[[], MetricsExporter], interval_s: float = _EXPORT_INTERVAL_S) -> None:
        """Export at an interval, from a thread.

        Args:
            open_exporter: opens the exporter on that thread.
            interval_s: from one export to the next, in seconds.
        """
        self._thread = Thread(target=self._run, args=(open_exporter, interval_s), name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Export for the last time and stop the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(1.0)

    def export(self, exporter: MetricsExporter) -> None:
        """Export what has changed since the last export."""
        for metric, counter in self._counters.items():
            for tags, value in counter.snapshot().items():
                self._export_total(exporter, metric, metric.name, _by_name(metric.tags, tags), value)
        for metric, histogram in self._histograms.items():
            buckets, total = histogram.snapshot()
            for tags, value in buckets.items():
                self._export_total(exporter, metric, f"{metric.name}_bucket", _by_name(("le",), tags), value)
            self._export_total(exporter, metric, f"{metric.name}_sum", {}, total)
            self._export_total(exporter, metric, f"{metric.name}_count", {}, buckets["+Inf",])
        for metric, tags, read in self._callbacks:
            named_tags = _by_name(metric.tags, tags)
            if metric.kind is MetricKind.GAUGE:
                exporter.put(metric.name, metric.description, named_tags, read())
            else:
                self._export_total(exporter, metric, metric.name, named_tags, read())

    def _export_total(
        self, exporter: MetricsExporter, metric: Metric, name: str, tags: Mapping[str, str], total: float
    ) -> None:
        """Export the increase of a total since its last export."""
        series = name, tuple(tags.values())
        increase = total - self._exported.get(series, 0.0)
        if increase > 0:
            exporter.add(name, metric.description, tags, increase)
            self._exported[series] = total

    def _run(self, open_exporter: Callable[[], MetricsExporter], interval_s: float) -> None:
        exporter: MetricsExporter | None = None
        while True:
            is_last = self._stopping.wait(interval_s)
            try:
                exporter = exporter or open_exporter()
                self.export(exporter)
            except Exception:  # noqa: BLE001 - the next export includes what this one missed
                _log.exception("metrics_not_exported")
            if is_last:
                return


class RayExporter:
    """Exports to Ray's metrics, with the tags that identify the replica. Works only on a replica of Serve."""

    def __init__(self) -> None:
        from ray.serve import metrics  # noqa: PLC0415 - processes without Ray must not wait for its import

        self._open_counter: Callable[..., Any] = metrics.Counter
        self._open_gauge: Callable[..., Any] = metrics.Gauge
        self._opened: dict[str, Any] = {}

    def add(self, name: str, description: str, tags: Mapping[str, str], amount: float) -> None:
        """Increase a counter."""
        if name not in self._opened:
            self._opened[name] = self._open_counter(name, description, tuple(tags))
        self._opened[name].inc(amount, dict(tags))

    def put(self, name: str, description: str, tags: Mapping[str, str], value: float) -> None:
        """Set a gauge."""
        if name not in self._opened:
            self._opened[name] = self._open_gauge(name, description, tuple(tags))
        self._opened[name].set(value, dict(tags))


def _by_name(names: Tags, values: Tags) -> dict[str, str]:
    return dict(zip(names, values, strict=True))
