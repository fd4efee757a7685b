"""A short benchmark on a stack of its own: its figures are for a quiet machine, its checks for any."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.soak("tools"), pytest.mark.timeout(900)]

PARTS = ["--parts", "levels,open,beside,burst,inside,large", "--seconds", "1", "--connections", "1,16"]
LARGE = ["--large-members", "20000", "--visits", "30000", "--scanned-visits", "20000", "--buffer-pool-mib", "256"]
COMMAND = [sys.executable, "-m", "cluster.cli.main", "bench", "--start", *PARTS, *LARGE]


@pytest.fixture(scope="module")
def written() -> Iterator[dict[str, Any]]:
    # Not pytest's own temporary folder: that is closed to the user that MariaDB runs as.
    folder = Path(tempfile.mkdtemp(prefix="fm-bench-"))
    folder.chmod(0o711)
    file = folder / "bench.json"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FITMONITOR_")}
    done = subprocess.run(
        [*COMMAND, "--json", str(file)],
        env=environment | {"FITMONITOR_DATA_DIR": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    yield json.loads(file.read_text(encoding="utf-8"))
    shutil.rmtree(folder)


def test_every_answer_is_right_and_kept(written: dict[str, Any]) -> None:
    assert (written["durable"], written["good"]) == (True, True)
    assert (written["durability"]["innodb_flush_log_at_trx_commit"], written["durability"]["kafka_acks"]) == (
        "1",
        "all",
    )
    assert written["store"]["lost"] == written["store"]["stored_otherwise"] == written["store"]["wrongly_inside"] == 0
    assert written["store"]["occupancy_broken"] == written["store"]["over_capacity"] == written["admitted_twice"] == 0
    assert written["disagreements"] == []


def test_the_load_is_as_large_as_a_chain_of_gyms(written: dict[str, Any]) -> None:
    load = written["load"]
    assert load["gyms"] >= 10
    assert load["gates"] >= 20
    assert load["members"] >= 2000


def test_each_run_has_its_figures(written: dict[str, Any]) -> None:
    assert [run["connections"] for run in written["runs"]] == [1, 16]
    for run in written["runs"]:
        figures = ("noop_rps", "lean_noop_rps", "scan_rps", "ratio", "lean_ratio", "p50_ms", "p99_ms", "p50_ratio")
        assert min(run[name] for name in (*figures, "cpu_ms_a_scan", "cpu_ms_a_noop", "cpu_ratio")) > 0
        of_all = sum(run["cpu_ms_per_scan"].values()) - run["cpu_ms_per_scan"]["load_generator"]
        assert 0 < run["cpu_ms_a_scan"] <= of_all + 0.01
        assert (run["errors"], run["wrong_answers"]) == (0, 0)
        assert run["mean_batch"] >= 1
        assert {"gateway", "qr_scanner", "door_consumer", "kafka", "mariadb", "load_generator"} <= set(
            run["cpu_ms_per_scan"]
        )
        assert {"haproxy", "fast_api_noop", "load_generator"} <= set(run["noop_cpu_ms_by_process"])
        assert run["noop_cpu_ms"] > 0


def test_the_open_loop_offers_half_of_the_greatest_rate(written: dict[str, Any]) -> None:
    found = written["open"]
    assert found["greatest_scan_rps"] == max(run["scan_rps"] for run in written["runs"])
    assert found["offered_rps"] == pytest.approx(found["greatest_scan_rps"] / 2, abs=0.1)
    for name in ("noop", "lean_noop", "scans"):
        assert found[name]["asked"] == pytest.approx(found["offered_rps"], abs=1)
        assert 0 < found[name]["p50_ms"] <= found[name]["p99_ms"] <= found[name]["most_ms"]
        assert (found[name]["errors"], found[name]["wrong_answers"]) == (0, 0)


def test_scans_beside_other_work_are_compared_with_scans_alone(written: dict[str, Any]) -> None:
    found = written["beside"]
    assert found["p99_ratio"] > 0
    assert len(found["without"]) == 2
    assert set(found["work"]) == {"uploads", "lists", "documents"}
    for figures in (*found["without"], found["beside"], *found["work"].values()):
        assert figures["asked"] > 0
        assert (figures["errors"], figures["wrong_answers"]) == (0, 0)


def test_in_a_burst_every_door_has_an_answer_and_everybody_enters(written: dict[str, Any]) -> None:
    found = written["burst"]
    assert (found["members"], found["gyms"], found["within_s"], found["consumers"]) == (2000, 10, 5.0, 1)
    assert (found["errors"], found["wrong_answers"], found["undecided"]) == (0, 0, 0)


@pytest.mark.parametrize("part", ["inside", "large"])
def test_both_sides_of_a_comparison_have_their_figures(written: dict[str, Any], part: str) -> None:
    found = written[part]
    assert min(found["cpu_ratio"], found["time_ratio"]) > 0
    for run in (*found["without"], *found["under"]):
        assert min(run["scan_rps"], run["cpu_ms_a_scan"]) > 0
        assert (run["errors"], run["wrong_answers"]) == (0, 0)


def test_the_past_that_was_written_is_reported(written: dict[str, Any]) -> None:
    assert written["large"]["loaded"] == {"members": 20_000, "visits": 30_000, "scans": 40_000}
    assert written["large"]["innodb_buffer_pool_size"] == 256 * 1024**2
