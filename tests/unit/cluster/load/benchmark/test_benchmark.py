"""The figures of a benchmark, and when it is good."""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, replace
from typing import Any

import pytest
from rich.console import Console

from cluster.load.benchmark.benchmark import introduction, judged
from cluster.load.benchmark.closed_loop import compared, level_figures
from cluster.load.benchmark.measurements import Rate
from cluster.load.benchmark.report import print_result
from cluster.load.benchmark.traffic import Checked, ScanRun
from cluster.load.figures import Figures, disturbance_in
from cluster.load.invariants import StoreComparison

NOOP = Rate(1000.0, 10_000, 5.0, 60.0, 0, {"haproxy": 0.1, "fast_api_noop": 0.4, "lean_noop": 0.2}, {}, 0.0)
LEAN = replace(NOOP, per_second=1200.0)
USED = {"gateway": 0.5, "door_consumer": 0.7, "fast_api_noop": 0.1, "load_generator": 0.9}
SCAN = Rate(480.0, 4800, 15.0, 60.0, 0, USED, {"gateway": 1}, 0.05)
SCANS = ScanRun(SCAN, Checked(), ran_out=False)
CHEAPER = replace(SCANS, rate=replace(SCAN, per_second=520.0, cpu_ms={"gateway": 0.8}))
DEARER = replace(SCANS, rate=replace(SCAN, per_second=400.0, cpu_ms={"gateway": 1.5}))
OFFERED = {
    "asked": 100,
    "p50_ms": 1.0,
    "p99_ms": 10.0,
    "most_ms": 12.0,
    "late_share": 0.0,
    "errors": 0,
    "wrong_answers": 0,
}
STORE = StoreComparison(10, 10, 0, 0, 0, inside=0, occupancy_broken=0, over_capacity=0)
COMPARED = compared([SCANS, CHEAPER], [DEARER])
RESULT: Figures = {
    "durable": True,
    "runs": [level_figures(64, NOOP, LEAN, SCANS)],
    "open": {
        "offered_rps": 240.0,
        "noop": OFFERED,
        "lean_noop": OFFERED,
        "scans": OFFERED | {"p99_ms": 45.0},
        "p99_ratio": 4.5,
        "lean_p99_ratio": 4.5,
    },
    "beside": {
        "offered_rps": 120.0,
        "p99_ratio": 2.5,
        "without": [OFFERED, OFFERED],
        "beside": OFFERED,
        "work": {"lists": OFFERED},
    },
    "burst": {
        "members": 2000,
        "within_s": 5.0,
        "consumers": 1,
        "decided_within_2_s": 0.995,
        "p50_ms": 80.0,
        "p99_ms": 900.0,
        "most_ms": 1700.0,
        "retries": 500,
        "too_late": 3,
        "errors": 0,
        "wrong_answers": 0,
        "repeats": 1,
        "undecided": 0,
    },
    "inside": COMPARED,
    "large": {
        **COMPARED,
        "noop_rps": [1000.0, 990.0],
        "noop_cpu_ms": [0.5, 0.5],
        "noop_errors": 0,
        "occupancy_rps": [250.0, 240.0],
        "occupancy_cpu_ms": [6.0, 6.5],
        "occupancy_errors": 0,
    },
    "around": {"errors": 0, "wrong_answers": 0},
    "store": asdict(STORE),
    "admitted_twice": 0,
    "disagreements": [],
    "examples": [],
}


def changed(path: str, value: Any) -> Figures:  # noqa: ANN401 - a figure
    """The result with another figure at a path such as `runs.0.errors`."""
    result = deepcopy(RESULT)
    *parents, name = path.split(".")
    at: Any = result
    for parent in parents:
        at = at[parent] if isinstance(at, Mapping) else at[int(parent)]
    assert name in at
    at[name] = value
    return result


def test_a_level_has_what_is_promised() -> None:
    level = json.loads(json.dumps(RESULT["runs"][0]))
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
        "mean_batch": 0.0,
        "noop_cpu_ms": 0.4,
        "cpu_ms_a_scan": 1.2,
        "cpu_ms_a_noop": 0.5,
        "cpu_ms_a_lean_noop": 0.3,
        "cpu_ratio": 0.417,
        "lean_cpu_ratio": 0.25,
    }
    assert {name: level[name] for name in promised} == promised
    assert level["cpu_ms_per_scan"]["gateway"] == 0.5


def test_a_comparison_is_of_means() -> None:
    assert (COMPARED["time_ratio"], COMPARED["cpu_ratio"]) == (1.25, 1.5)
    assert [run["scan_rps"] for run in (*COMPARED["without"], *COMPARED["under"])] == [480.0, 520.0, 400.0]


def test_what_other_programs_used_most_is_found() -> None:
    assert disturbance_in(RESULT) == 0.05
    assert disturbance_in(changed("inside.under.0.others_cpu_share", 0.3)) == 0.3
    assert disturbance_in({}) == 0.0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("runs.0.wrong_answers", 1),
        ("runs.0.errors", 1),
        ("runs.0.noop_errors", 1),
        ("around.errors", 1),
        ("around.wrong_answers", 1),
        ("store.lost", 1),
        ("store.stored_otherwise", 1),
        ("store.wrongly_inside", 1),
        ("store.occupancy_broken", 1),
        ("store.over_capacity", 1),
        ("admitted_twice", 1),
        ("disagreements", ["visit_not_open"]),
        ("open.scans.wrong_answers", 1),
        ("open.noop.errors", 1),
        ("beside.beside.wrong_answers", 1),
        ("beside.without.1.errors", 1),
        ("beside.work.lists.errors", 1),
        ("burst.wrong_answers", 1),
        ("burst.errors", 1),
        ("burst.undecided", 1),
        ("inside.under.0.wrong_answers", 1),
        ("large.noop_errors", 1),
        ("large.occupancy_errors", 1),
    ],
)
def test_whatever_is_wrong_makes_the_benchmark_not_good(path: str, value: Any) -> None:  # noqa: ANN401 - a figure
    assert judged(RESULT)["good"]
    assert not judged(changed(path, value))["good"]


@pytest.mark.parametrize(
    "run",
    [replace(SCANS, checked=Checked(wrong=1)), replace(SCANS, rate=replace(SCAN, errors=1))],
)
def test_a_fault_of_a_run_is_a_fault_of_its_figures(run: ScanRun) -> None:
    for figures in (level_figures(64, NOOP, LEAN, run), compared([SCANS], [run])):
        assert not judged({**RESULT, "part": figures})["good"]
    assert not judged({"part": level_figures(64, replace(NOOP, errors=1), LEAN, SCANS)})["good"]
    assert not judged({"part": level_figures(64, NOOP, replace(LEAN, errors=1), SCANS)})["good"]


def test_every_part_has_a_table_and_every_fault_a_line() -> None:
    console = Console(record=True, width=200)
    faults = {"examples": ["enter: refused"], "disagreements": ["visit_not_open: 7"], "admitted_twice": 2}
    print_result(console, judged(RESULT | faults))
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
