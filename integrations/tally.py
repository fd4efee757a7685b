"""Counting, cheaply: plain numbers on the way of a scan, handed to Ray from a thread every few seconds.

Ray takes about as long for one observation as this for fifty, and publishes what it has been told every ten seconds.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from threading import Event, Lock, Thread
from typing import Any, Protocol

import structlog

from integrations.metrics import Metric, MetricKind

_log = structlog.get_logger(__name__)

_EVERY_S = 5.0

Tags = tuple[str, ...]


class Counts:
    """How often something happened, by its tags. Any thread may add."""

    def __init__(self) -> None:
        self._counts: dict[Tags, float] = defaultdict(float)
        self._lock = Lock()

    def add(self, amount: float, *tags: str) -> None:
        """Add to one series."""
        with self._lock:
            self._counts[tags] += amount

    def add_all(self, amounts: Mapping[Tags, int]) -> None:
        """Add to several; once for a batch."""
        with self._lock:
            for tags, amount in amounts.items():
                self._counts[tags] += amount

    def taken(self) -> Mapping[Tags, float]:
        """All series as they are now."""
        with self._lock:
            return dict(self._counts)


class Buckets:
    """How large something was. Any thread may observe."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._lock = Lock()

    def observe(self, value: float) -> None:
        """Take one value."""
        with self._lock:
            self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += value

    def observe_all(self, values: Iterable[float]) -> None:
        """Take several; once for a batch."""
        with self._lock:
            for value in values:
                self._counts[bisect_left(self._bounds, value)] += 1
                self._sum += value

    def taken(self) -> tuple[Mapping[Tags, float], float]:
        """By upper bound how many were no larger, and the sum of all."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        running = 0
        found: dict[Tags, float] = {}
        for bound, count in zip([*(f"{bound:g}" for bound in self._bounds), "+Inf"], counts, strict=True):
            running += count
            found[bound,] = float(running)
        return found, total


class Sink(Protocol):
    """Where numbers go from here."""

    def add(self, name: str, description: str, tags: Mapping[str, str], amount: float) -> None:
        """Raise a counter by more than nothing."""

    def put(self, name: str, description: str, tags: Mapping[str, str], value: float) -> None:
        """Say how a gauge stands."""


class Tally:
    """What one process counts. Nothing leaves it until `start`."""

    def __init__(self) -> None:
        self._counts: dict[Metric, Counts] = {}
        self._buckets: dict[Metric, Buckets] = {}
        self._reads: list[tuple[Metric, Tags, Callable[[], float]]] = []
        self._told: dict[tuple[str, Tags], float] = {}
        self._stopping = Event()
        self._thread: Thread | None = None

    def counts(self, metric: Metric) -> Counts:
        """The counter of a metric."""
        return self._counts.setdefault(metric, Counts())

    def buckets(self, metric: Metric) -> Buckets:
        """The histogram of a metric."""
        return self._buckets.setdefault(metric, Buckets(metric.bounds))

    def reads(self, metric: Metric, read: Callable[[], float], *tags: str) -> None:
        """Ask for a number that somebody keeps anyway: a gauge, or a counter since that somebody's start."""
        self._reads.append((metric, tags, read))

    def start(self, make_sink: Callable[[], Sink], every_s: float = _EVERY_S) -> None:
        """Hand everything on from a thread, now and then."""
        self._thread = Thread(target=self._run, args=(make_sink, every_s), name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hand on what was counted last."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(1.0)

    def hand_on(self, sink: Sink) -> None:
        """Tell what has changed since the last time."""
        for metric, counts in self._counts.items():
            for tags, value in counts.taken().items():
                self._raise(sink, metric, metric.name, _named(metric.tags, tags), value)
        for metric, buckets in self._buckets.items():
            series, total = buckets.taken()
            for tags, value in series.items():
                self._raise(sink, metric, f"{metric.name}_bucket", _named(("le",), tags), value)
            self._raise(sink, metric, f"{metric.name}_sum", {}, total)
            self._raise(sink, metric, f"{metric.name}_count", {}, series["+Inf",])
        for metric, tags, read in self._reads:
            named = _named(metric.tags, tags)
            if metric.kind is MetricKind.GAUGE:
                sink.put(metric.name, metric.description, named, read())
            else:
                self._raise(sink, metric, metric.name, named, read())

    def _raise(self, sink: Sink, metric: Metric, name: str, tags: Mapping[str, str], value: float) -> None:
        key = name, tuple(tags.values())
        amount = value - self._told.get(key, 0.0)
        if amount > 0:
            sink.add(name, metric.description, tags, amount)
            self._told[key] = value

    def _run(self, make_sink: Callable[[], Sink], every_s: float) -> None:
        sink: Sink | None = None
        while True:
            is_last = self._stopping.wait(every_s)
            try:
                sink = sink or make_sink()
                self.hand_on(sink)
            except Exception:  # noqa: BLE001 - doors need no metrics; what was not told now is told the next time
                _log.exception("metrics_not_handed_on")
            if is_last:
                return


class RaySink:
    """Ray's metrics, with the tags by which Serve tells replicas apart. Works on a replica only."""

    def __init__(self) -> None:
        from ray.serve import metrics  # noqa: PLC0415 - what counts without Ray shall not wait for its import

        self._counter: Callable[..., Any] = metrics.Counter
        self._gauge: Callable[..., Any] = metrics.Gauge
        self._made: dict[str, Any] = {}

    def add(self, name: str, description: str, tags: Mapping[str, str], amount: float) -> None:
        """Raise a counter."""
        if name not in self._made:
            self._made[name] = self._counter(name, description, tuple(tags))
        self._made[name].inc(amount, dict(tags))

    def put(self, name: str, description: str, tags: Mapping[str, str], value: float) -> None:
        """Set a gauge."""
        if name not in self._made:
            self._made[name] = self._gauge(name, description, tuple(tags))
        self._made[name].set(value, dict(tags))


def _named(names: Tags, values: Tags) -> dict[str, str]:
    return dict(zip(names, values, strict=True))
