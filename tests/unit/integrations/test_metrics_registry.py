import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from integrations.metrics import BATCH_COMMANDS, LAG, LATE_REPLIES, SCANS, Metric, MetricKind
from integrations.metrics_registry import MetricsRegistry


@dataclass
class FakeExporter:
    """Keeps values like Prometheus."""

    counters: dict[tuple[str, tuple[str, ...]], float] = field(default_factory=dict)
    gauges: dict[tuple[str, tuple[str, ...]], float] = field(default_factory=dict)
    calls: int = 0

    def add(self, name: str, _description: str, tags: Mapping[str, str], amount: float) -> None:
        assert amount > 0, "Ray refuses to raise a counter by nothing"
        self.calls += 1
        self.counters[name, tuple(tags.values())] = self.counters.get((name, tuple(tags.values())), 0.0) + amount

    def put(self, name: str, _description: str, tags: Mapping[str, str], value: float) -> None:
        self.gauges[name, tuple(tags.values())] = value


def test_a_count_is_exported_once() -> None:
    registry, exporter = MetricsRegistry(), FakeExporter()
    scans = registry.counter(SCANS)
    scans.add(1, "entered", "")
    scans.add_all({("refused", "gym_full"): 2, ("entered", ""): 3})
    registry.export(exporter)
    scans.add(1, "entered", "")
    registry.export(exporter)
    assert exporter.counters == {
        ("fitmonitor_scans", ("entered", "")): 5,
        ("fitmonitor_scans", ("refused", "gym_full")): 2,
    }
    calls = exporter.calls
    registry.export(exporter)
    assert exporter.calls == calls, "nothing has changed"


def test_a_histogram_is_exported_as_cumulative_counts() -> None:
    registry, exporter = MetricsRegistry(), FakeExporter()
    metric = Metric("size", MetricKind.HISTOGRAM, "Nobody", "", bounds=(1.0, 10.0))
    sizes = registry.histogram(metric)
    sizes.observe(1.0)
    registry.export(exporter)
    sizes.observe_all([0.5, 1.5, 10.0, 11.0])
    registry.export(exporter)
    assert exporter.counters == {
        ("size_bucket", ("1",)): 2,
        ("size_bucket", ("10",)): 4,
        ("size_bucket", ("+Inf",)): 5,
        ("size_sum", ()): 24.0,
        ("size_count", ()): 5,
    }


def test_callbacks_are_read_at_each_export() -> None:
    registry, exporter = MetricsRegistry(), FakeExporter()
    kept = {"late": 0, "lag": 7}
    registry.add_callback(LATE_REPLIES, lambda: kept["late"])
    registry.add_callback(LAG, lambda: kept["lag"])
    registry.export(exporter)
    assert exporter.counters == {}
    kept |= {"late": 4, "lag": 0}
    registry.export(exporter)
    assert exporter.counters == {("fitmonitor_late_replies", ()): 4}
    assert exporter.gauges == {("fitmonitor_consumer_lag", ()): 0}


def test_the_last_counts_are_exported_at_the_end() -> None:
    registry, exporter = MetricsRegistry(), FakeExporter()
    sizes = registry.histogram(BATCH_COMMANDS)
    registry.start(lambda: exporter, interval_s=3600)
    sizes.observe(3)
    registry.stop()
    assert exporter.counters["fitmonitor_batch_commands_count", ()] == 1


def test_a_failed_export_loses_no_count_and_is_retried() -> None:
    registry, exporter = MetricsRegistry(), FakeExporter()
    refuses = [True]

    def read() -> float:
        if refuses:
            refuses.clear()
            raise RuntimeError("not now")
        return 7.0

    registry.add_callback(LAG, read)
    registry.counter(SCANS).add(1, "entered", "")
    registry.start(lambda: exporter, interval_s=0.01)
    deadline = time.monotonic() + 10
    while not exporter.gauges and time.monotonic() < deadline:
        time.sleep(0.01)
    registry.stop()
    assert list(exporter.gauges.values()) == [7.0]
    assert exporter.counters == {("fitmonitor_scans", ("entered", "")): 1}
