"""What is written of a bench, and when it is good."""

import json
from dataclasses import replace

import pytest

from cluster.load.answer_checks import Stored
from cluster.load.benchmark.burst import Burst
from cluster.load.benchmark.closed_loop import Level
from cluster.load.benchmark.findings import Findings
from cluster.load.benchmark.inside import Compared
from cluster.load.benchmark.large import Large
from cluster.load.benchmark.measurements import Rate
from cluster.load.benchmark.open_loop import Offered, OpenLoop
from cluster.load.benchmark.traffic import ScanRun
from cluster.load.past_loading import Loaded

NOOP = Rate(1000.0, 10_000, 5.0, 60.0, 0, {"haproxy": 0.1, "fast_api_noop": 0.4, "lean_noop": 0.2}, {}, 0.0)
LEAN = replace(NOOP, per_second=1200.0)
USED = {"gateway": 0.5, "door_consumer": 0.7, "fast_api_noop": 0.1, "load_generator": 0.9}
SCAN = Rate(480.0, 4800, 15.0, 60.0, 0, USED, {"gateway": 1}, 0.05)
SCANS = ScanRun(SCAN, wrong=0, unchecked=0, mean_batch=12.34, ran_out=False)
LEVEL = Level(64, NOOP, LEAN, SCANS)
OFFERED = Offered(asked=100, p50_ms=1.0, p99_ms=10.0, most_ms=12.0, late_share=0.0, errors=0)
OPEN = OpenLoop(480.0, 240.0, 10.0, OFFERED, OFFERED, replace(OFFERED, p99_ms=45.0))
BURST = Burst(
    members=2000,
    consumers=1,
    decided_in_time=0.995,
    p50_ms=80.0,
    p99_ms=900.0,
    most_ms=1700.0,
    retries=10,
    too_late=0,
    errors=0,
    wrong=0,
    repeats=1,
    undecided=0,
)
DEARER = replace(SCANS, rate=replace(SCAN, per_second=400.0, cpu_ms={"gateway": 1.5}))
COMPARED = Compared((SCANS, replace(SCANS, rate=replace(SCAN, per_second=520.0, cpu_ms={"gateway": 0.8}))), (DEARER,))
LARGE = Large(COMPARED, (NOOP, NOOP), (NOOP, NOOP), Loaded({"members": 1_000_000}, 60.0), 2**33, 10**10)
FINDINGS = Findings(
    durability={"kafka_acks": "all"},
    load={"gyms": 10},
    levels=[LEVEL],
    around={"errors": 0, "wrong_answers": 0},
    stored=Stored(answered=10, stored=10, lost=0, stored_otherwise=0, wrongly_inside=0),
    disagreements=[],
    examples=[],
    open_loop=OPEN,
    burst=BURST,
    inside=COMPARED,
    large=LARGE,
)


def test_the_json_has_what_is_promised() -> None:
    written = json.loads(json.dumps(FINDINGS.as_json()))
    (run,) = written["runs"]
    assert (written["durable"], written["good"]) == (True, True)
    promised = {
        "connections": 64,
        "noop_rps": 1000.0,
        "lean_noop_rps": 1200.0,
        "scan_rps": 480.0,
        "ratio": 0.48,
        "lean_ratio": 0.4,
        "p50_ms": 15.0,
        "p50_ratio": 3.0,
        "p99_ms": 60.0,
        "errors": 0,
        "wrong_answers": 0,
        "mean_batch": 12.3,
        "noop_cpu_ms": 0.4,
        "cpu_ms_a_scan": 1.2,
        "cpu_ms_a_noop": 0.5,
        "cpu_ms_a_lean_noop": 0.3,
        "cpu_ratio": 0.417,
        "lean_cpu_ratio": 0.25,
    }
    assert {name: run[name] for name in promised} == promised
    assert run["cpu_ms_per_scan"]["gateway"] == 0.5
    assert (written["open"]["p99_ratio"], written["open"]["offered_rps"]) == (4.5, 240.0)
    assert (written["burst"]["decided_within_2_s"], written["burst"]["retries"]) == (0.995, 10)
    assert (written["inside"]["time_ratio"], written["inside"]["cpu_ratio"]) == (1.25, 1.5)
    assert (written["large"]["innodb_buffer_pool_size"], written["large"]["loaded"]) == (2**33, {"members": 1_000_000})


def test_what_was_not_measured_is_not_written() -> None:
    written = replace(FINDINGS, levels=[], open_loop=None, burst=None, inside=None, large=None).as_json()
    assert not {"open", "burst", "inside", "large"} & set(written)
    assert written["runs"] == []


@pytest.mark.parametrize(
    "bad",
    [
        replace(FINDINGS, levels=[replace(LEVEL, scans=replace(SCANS, wrong=1))]),
        replace(FINDINGS, levels=[replace(LEVEL, scans=replace(SCANS, rate=replace(SCAN, errors=1)))]),
        replace(FINDINGS, levels=[replace(LEVEL, noop=replace(NOOP, errors=1))]),
        replace(FINDINGS, levels=[replace(LEVEL, lean_noop=replace(LEAN, errors=1))]),
        replace(FINDINGS, around={"errors": 1, "wrong_answers": 0}),
        replace(FINDINGS, stored=replace(FINDINGS.stored, lost=1)),
        replace(FINDINGS, stored=replace(FINDINGS.stored, stored_otherwise=1)),
        replace(FINDINGS, stored=replace(FINDINGS.stored, wrongly_inside=1)),
        replace(FINDINGS, disagreements=["visit_not_open"]),
        replace(FINDINGS, open_loop=replace(OPEN, scans=replace(OFFERED, wrong=1))),
        replace(FINDINGS, open_loop=replace(OPEN, noop=replace(OFFERED, errors=1))),
        replace(FINDINGS, burst=replace(BURST, wrong=1)),
        replace(FINDINGS, burst=replace(BURST, errors=1)),
        replace(FINDINGS, burst=replace(BURST, undecided=1)),
        replace(FINDINGS, inside=replace(COMPARED, under=(replace(SCANS, wrong=1),))),
        replace(FINDINGS, large=replace(LARGE, noops=(NOOP, replace(NOOP, errors=1)))),
    ],
)
def test_whatever_is_wrong_makes_the_bench_not_good(bad: Findings) -> None:
    assert FINDINGS.is_good
    assert not bad.is_good


def test_a_clear_retry_is_nothing_wrong() -> None:
    assert replace(FINDINGS, burst=replace(BURST, retries=500, too_late=3)).is_good
