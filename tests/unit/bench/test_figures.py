"""The figures, and the shape in which they are written."""

import json
import os
from dataclasses import replace

import pytest

from cluster.bench.check import Stored
from cluster.bench.figures import Findings, Level, Rate, ScanRun, noop_errors, percentile, rate_of
from cluster.bench.generator import Measured
from cluster.bench.job import Answer, Driven
from cluster.bench.processes import Used, cpu_between, processes_of, role_of

RATE = Rate(1000.0, 10_000, 30.0, 60.0, 0, {"gateway": 0.5, "fast_api_noop": 0.4}, {"gateway": 1}, 0.0)
SCANS = ScanRun(replace(RATE, per_second=480.0), wrong=0, unchecked=0, mean_batch=12.34, ran_out=False)
LEVEL = Level(64, RATE, RATE, SCANS, "fast_api_noop", "lean_noop")
FINDINGS = Findings(
    durability={"kafka_acks": "all"},
    load={"gyms": 10},
    levels=[LEVEL],
    around={"errors": 0, "wrong_answers": 0},
    stored=Stored(answered=10, stored=10, lost=0, stored_otherwise=0, wrongly_inside=0),
    disagreements=[],
    examples=[],
)


def test_the_json_has_what_is_promised() -> None:
    written = json.loads(json.dumps(FINDINGS.as_json()))
    (run,) = written["runs"]
    assert (written["durable"], written["good"]) == (True, True)
    promised = {
        "connections": 64,
        "noop_rps": 1000.0,
        "lean_noop_rps": 1000.0,
        "scan_rps": 480.0,
        "ratio": 0.48,
        "p50_ms": 30.0,
        "p99_ms": 60.0,
        "errors": 0,
        "wrong_answers": 0,
        "mean_batch": 12.3,
        "noop_cpu_ms": 0.4,
    }
    assert {name: run[name] for name in promised} == promised
    assert run["cpu_ms_per_scan"]["gateway"] == 0.5


@pytest.mark.parametrize(
    "bad",
    [
        replace(FINDINGS, levels=[replace(LEVEL, scans=replace(SCANS, wrong=1))]),
        replace(FINDINGS, levels=[replace(LEVEL, scans=replace(SCANS, rate=replace(RATE, errors=1)))]),
        replace(FINDINGS, levels=[replace(LEVEL, noop=replace(RATE, errors=1))]),
        replace(FINDINGS, levels=[replace(LEVEL, lean_noop=replace(RATE, errors=1))]),
        replace(FINDINGS, around={"errors": 1, "wrong_answers": 0}),
        replace(FINDINGS, stored=replace(FINDINGS.stored, lost=1)),
        replace(FINDINGS, stored=replace(FINDINGS.stored, stored_otherwise=1)),
        replace(FINDINGS, stored=replace(FINDINGS.stored, wrongly_inside=1)),
        replace(FINDINGS, disagreements=["visit_not_open"]),
    ],
)
def test_whatever_is_wrong_makes_the_bench_not_good(bad: Findings) -> None:
    assert FINDINGS.is_good
    assert not bad.is_good


def test_a_rate_counts_what_was_answered_before_the_end() -> None:
    lanes = [
        [Answer(0.0, 0.010, 200, b""), Answer(0.5, 0.020, 200, b""), Answer(1.9, 0.2, 200, b"")],
        [Answer(0.0, 0.030, 503, b""), Answer(1.0, 0.1, 0, b"connection lost")],
    ]
    before = {(1, 0.0): Used("gateway", 5.0)}
    after = {(1, 0.0): Used("gateway", 5.3), (2, 1.0): Used("gateway", 0.3)}
    rate = rate_of(Measured(Driven(0.0, 2.0, 0.15, lanes, ran_out=False), before, after, busy_s=0.6), errors=2)
    assert (rate.per_second, rate.answered, rate.errors) == (1.5, 3, 2)
    assert (rate.p50_ms, rate.p99_ms) == (20.0, 30.0)
    assert rate.cpu_ms == pytest.approx({"gateway": 200.0, "load_generator": 50.0})
    assert rate.processes == {"gateway": 2}
    assert rate.others_share == 0


def test_nothing_answered_is_a_rate_of_zero() -> None:
    rate = rate_of(Measured(Driven(0.0, 2.0, 0.0, [[]], ran_out=False), {}, {}, 0.0), errors=0)
    assert (rate.per_second, rate.p50_ms, rate.p99_ms) == (0.0, 0.0, 0.0)


def test_a_noop_that_says_something_else_is_an_error() -> None:
    lane = [Answer(0, 0, 200, b"ok"), Answer(0, 0, 200, b"no"), Answer(0, 0, 500, b"ok"), Answer(0, 0, 0, b"")]
    assert noop_errors([lane], b"ok") == 3


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_percentiles_are_nearest_ranks(share: float, value: float) -> None:
    assert percentile([float(number) for number in range(1, 101)], share) == value


def test_processes_that_come_and_go_are_counted_as_far_as_they_are_known() -> None:
    before = {(1, 0.0): Used("other", 1.0), (2, 0.0): Used("haproxy", 9.0)}
    # The first became a replica meanwhile, the second's pid was given to another process.
    after = {(1, 0.0): Used("gateway", 1.5), (2, 7.0): Used("haproxy", 0.25), (3, 8.0): Used("haproxy", 0.5)}
    assert cpu_between(before, after) == {"gateway": 0.5, "haproxy": 0.75}
    assert processes_of(after) == {"gateway": 1, "haproxy": 2}


@pytest.mark.parametrize(
    ("name", "title", "role"),
    [
        ("ray::ServeRepli", "ray::ServeReplica:api:Gateway", "gateway"),
        ("ray::ServeRepli", "ray::ServeReplica:api:Qr.check", "qr"),
        ("ray::ServeRepli", "ray::ServeReplica:door_consumers:DoorConsumer", "door_consumer"),
        ("ray::ServeRepli", "ray::ServeReplica:FastApiNoop:FastApiNoop", "fast_api_noop"),
        ("ray::ServeContr", "ray::ServeController.listen_for_change", "controller"),
        ("ray::HAProxyMan", "ray::HAProxyManager", "proxy_manager"),
        ("ray::IDLE", "ray::IDLE", "ray_other"),
        ("haproxy", "/x/haproxy", "haproxy"),
        ("java", "/usr/bin/java", "kafka"),
        ("mariadbd", "/usr/sbin/mariadbd", "mariadb"),
        ("gcs_server", "/x/gcs_server", "gcs"),
        ("python3", "/x/python3", "other"),
    ],
)
def test_a_process_is_known_by_its_title(name: str, title: str, role: str) -> None:
    assert role_of(name, title) == role


def test_what_other_programs_use_is_told() -> None:
    before, after = {(1, 0.0): Used("gateway", 0.0)}, {(1, 0.0): Used("gateway", 1.0)}
    lanes = [[Answer(0.0, 0.01, 200, b"")]]
    rate = rate_of(Measured(Driven(0.0, 2.0, 0.5, lanes, ran_out=False), before, after, busy_s=2.5), errors=0)
    assert rate.others_share == pytest.approx(1.0 / (2.0 * (os.cpu_count() or 1)))
