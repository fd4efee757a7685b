"""The figures of a benchmark, and when it is good."""

import json
from dataclasses import replace

import pytest
from rich.console import Console

from cluster.load.benchmark.benchmark import BenchmarkResult, introduction
from cluster.load.benchmark.burst import Burst
from cluster.load.benchmark.closed_loop import Comparison, Level
from cluster.load.benchmark.large_past import LargePast
from cluster.load.benchmark.measurements import Offered, Rate
from cluster.load.benchmark.open_loop import OpenLoop
from cluster.load.benchmark.other_work import BesideOtherWork
from cluster.load.benchmark.report import print_result
from cluster.load.benchmark.traffic import ScanRun
from cluster.load.invariants import StoreComparison
from cluster.load.past import WrittenPast

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
    decided_within_2_s=0.995,
    p50_ms=80.0,
    p99_ms=900.0,
    most_ms=1700.0,
    retries=10,
    too_late=0,
    errors=0,
    wrong_answers=0,
    repeats=1,
    undecided=0,
)
DEARER = replace(SCANS, rate=replace(SCAN, per_second=400.0, cpu_ms={"gateway": 1.5}))
COMPARED = Comparison((SCANS, replace(SCANS, rate=replace(SCAN, per_second=520.0, cpu_ms={"gateway": 0.8}))), (DEARER,))
LARGE = LargePast(COMPARED, (NOOP, NOOP), (NOOP, NOOP), WrittenPast({"members": 1_000_000}, 60.0), 2**33, 10**10)
STORE = StoreComparison(10, 10, 0, 0, 0, inside=0, occupancy_broken=0, over_capacity=0)
BESIDE = BesideOtherWork(
    120.0,
    10.0,
    (replace(OFFERED, p99_ms=9.0), replace(OFFERED, p99_ms=11.0)),
    replace(OFFERED, p99_ms=25.0),
    {"lists": OFFERED},
)
RESULT = BenchmarkResult(
    durability={"kafka_acks": "all"},
    load={"gyms": 10},
    store=STORE,
    levels=[LEVEL],
    open=OPEN,
    beside=BESIDE,
    burst=BURST,
    inside=COMPARED,
    large=LARGE,
)


def test_the_json_has_what_is_promised() -> None:
    written = json.loads(json.dumps(RESULT.as_json()))
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
    assert (written["beside"]["p99_ratio"], written["beside"]["work"]["lists"]["errors"]) == (2.5, 0)
    assert (written["burst"]["decided_within_2_s"], written["burst"]["retries"]) == (0.995, 10)
    assert (written["inside"]["time_ratio"], written["inside"]["cpu_ratio"]) == (1.25, 1.5)
    assert (written["large"]["innodb_buffer_pool_size"], written["large"]["loaded"]) == (2**33, {"members": 1_000_000})


def test_what_was_not_measured_is_not_written() -> None:
    written = replace(RESULT, levels=[], open=None, beside=None, burst=None, inside=None, large=None).as_json()
    assert not {"open", "beside", "burst", "inside", "large"} & set(written)
    assert written["runs"] == []


@pytest.mark.parametrize(
    "bad",
    [
        replace(RESULT, levels=[replace(LEVEL, scans=replace(SCANS, wrong=1))]),
        replace(RESULT, levels=[replace(LEVEL, scans=replace(SCANS, rate=replace(SCAN, errors=1)))]),
        replace(RESULT, levels=[replace(LEVEL, noop=replace(NOOP, errors=1))]),
        replace(RESULT, levels=[replace(LEVEL, lean=replace(LEAN, errors=1))]),
        replace(RESULT, around={"errors": 1, "wrong_answers": 0}),
        replace(RESULT, store=replace(STORE, lost=1)),
        replace(RESULT, store=replace(STORE, stored_otherwise=1)),
        replace(RESULT, store=replace(STORE, wrongly_inside=1)),
        replace(RESULT, store=replace(STORE, occupancy_broken=1)),
        replace(RESULT, store=replace(STORE, over_capacity=1)),
        replace(RESULT, admitted_twice=1),
        replace(RESULT, disagreements=["visit_not_open"]),
        replace(RESULT, beside=replace(BESIDE, beside=replace(OFFERED, wrong_answers=1))),
        replace(RESULT, beside=replace(BESIDE, without=(OFFERED, replace(OFFERED, errors=1)))),
        replace(RESULT, beside=replace(BESIDE, work={"lists": replace(OFFERED, errors=1)})),
        replace(RESULT, open=replace(OPEN, scans=replace(OFFERED, wrong_answers=1))),
        replace(RESULT, open=replace(OPEN, noop=replace(OFFERED, errors=1))),
        replace(RESULT, burst=replace(BURST, wrong_answers=1)),
        replace(RESULT, burst=replace(BURST, errors=1)),
        replace(RESULT, burst=replace(BURST, undecided=1)),
        replace(RESULT, inside=replace(COMPARED, under=(replace(SCANS, wrong=1),))),
        replace(RESULT, large=replace(LARGE, noops=(NOOP, replace(NOOP, errors=1)))),
    ],
)
def test_whatever_is_wrong_makes_the_benchmark_not_good(bad: BenchmarkResult) -> None:
    assert RESULT.is_good
    assert not bad.is_good


def test_a_clear_retry_is_nothing_wrong() -> None:
    assert replace(RESULT, burst=replace(BURST, retries=500, too_late=3)).is_good


def test_every_part_has_a_table_and_every_fault_a_line() -> None:
    console = Console(record=True, width=200)
    bad = replace(RESULT, examples=["enter: refused"], disagreements=["visit_not_open: 7"], admitted_twice=2)
    print_result(console, bad)
    shown = console.export_text()
    for words in (
        "480",
        "beside other work",
        "2.50",
        "decided within 2 s",
        "1,000 inside",
        "a large past",
        "occupancy",
    ):
        assert words in shown
    assert "not good: 10 answers" in shown
    assert "2 passes admitted twice" in shown
    assert "enter: refused" in shown
    assert "visit_not_open: 7" in shown


def test_the_conditions_are_stated() -> None:
    load = {"gyms": 10, "gates": 20, "members": 2000, "devices": 320, "seed": 1, "refused_share": 0.1}
    durable, seeded, sent = introduction({"kafka_acks": "all"}, load | {"scans_per_device_per_second": 50.0})
    assert durable == "durable: kafka_acks=all"
    assert "2000 members; 320 devices" in seeded
    assert "10 % of the scans must be refused; seed 1" in sent
