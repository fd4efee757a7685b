import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from integrations.metrics import BATCH_COMMANDS, LAG, LATE_REPLIES, SCANS, Metric, MetricKind
from integrations.tally import Tally


@dataclass
class FakeSink:
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
    tally, sink = Tally(), FakeSink()
    scans = tally.counts(SCANS)
    scans.add(1, "entered", "")
    scans.add_all({("refused", "gym_full"): 2, ("entered", ""): 3})
    tally.hand_on(sink)
    scans.add(1, "entered", "")
    tally.hand_on(sink)
    assert sink.counters == {
        ("fitmonitor_scans", ("entered", "")): 5,
        ("fitmonitor_scans", ("refused", "gym_full")): 2,
    }
    calls = sink.calls
    tally.hand_on(sink)
    assert sink.calls == calls, "nothing has changed"


def test_a_histogram_is_exported_as_cumulative_counts() -> None:
    tally, sink = Tally(), FakeSink()
    metric = Metric("size", MetricKind.HISTOGRAM, "Nobody", "", bounds=(1.0, 10.0))
    sizes = tally.buckets(metric)
    sizes.observe(1.0)
    tally.hand_on(sink)
    sizes.observe_all([0.5, 1.5, 10.0, 11.0])
    tally.hand_on(sink)
    assert sink.counters == {
        ("size_bucket", ("1",)): 2,
        ("size_bucket", ("10",)): 4,
        ("size_bucket", ("+Inf",)): 5,
        ("size_sum", ()): 24.0,
        ("size_count", ()): 5,
    }


def test_callbacks_are_read_at_each_export() -> None:
    tally, sink = Tally(), FakeSink()
    kept = {"late": 0, "lag": 7}
    tally.reads(LATE_REPLIES, lambda: kept["late"])
    tally.reads(LAG, lambda: kept["lag"])
    tally.hand_on(sink)
    assert sink.counters == {}
    kept |= {"late": 4, "lag": 0}
    tally.hand_on(sink)
    assert sink.counters == {("fitmonitor_late_replies", ()): 4}
    assert sink.gauges == {("fitmonitor_consumer_lag", ()): 0}


def test_the_last_counts_are_exported_at_the_end() -> None:
    tally, sink = Tally(), FakeSink()
    sizes = tally.buckets(BATCH_COMMANDS)
    tally.start(lambda: sink, every_s=3600)
    sizes.observe(3)
    tally.stop()
    assert sink.counters["fitmonitor_batch_commands_count", ()] == 1


def test_a_failed_export_loses_no_count_and_is_retried() -> None:
    tally, sink = Tally(), FakeSink()
    refuses = [True]

    def read() -> float:
        if refuses:
            refuses.clear()
            raise RuntimeError("not now")
        return 7.0

    tally.reads(LAG, read)
    tally.counts(SCANS).add(1, "entered", "")
    tally.start(lambda: sink, every_s=0.01)
    deadline = time.monotonic() + 10
    while not sink.gauges and time.monotonic() < deadline:
        time.sleep(0.01)
    tally.stop()
    assert list(sink.gauges.values()) == [7.0]
    assert sink.counters == {("fitmonitor_scans", ("entered", "")): 1}
