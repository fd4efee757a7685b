"""The bench itself, short, on a stack of its own: its figures are for a quiet machine, its checks for any."""

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

COMMAND = [sys.executable, "-m", "cluster.cli.main", "bench", "--start", "--seconds", "2", "--connections", "1,16"]


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


@pytest.mark.timeout(900)
def test_every_answer_is_right_and_kept(written: dict[str, Any]) -> None:
    assert (written["durable"], written["good"]) == (True, True)
    assert (written["durability"]["innodb_flush_log_at_trx_commit"], written["durability"]["kafka_acks"]) == (
        "1",
        "all",
    )
    assert written["store"]["lost"] == written["store"]["stored_otherwise"] == written["store"]["wrongly_inside"] == 0
    assert written["disagreements"] == []


@pytest.mark.timeout(900)
def test_the_load_is_as_large_as_a_chain_of_gyms(written: dict[str, Any]) -> None:
    load = written["load"]
    assert load["gyms"] >= 10
    assert load["gates"] >= 20
    assert load["members"] >= 2000


@pytest.mark.timeout(900)
def test_each_run_has_its_figures(written: dict[str, Any]) -> None:
    assert [run["connections"] for run in written["runs"]] == [1, 16]
    for run in written["runs"]:
        assert min(run[name] for name in ("noop_rps", "lean_noop_rps", "scan_rps", "ratio", "p50_ms", "p99_ms")) > 0
        assert (run["errors"], run["wrong_answers"]) == (0, 0)
        assert run["mean_batch"] >= 1
        assert {"gateway", "qr", "door_consumer", "kafka", "mariadb", "haproxy", "load_generator"} <= set(
            run["cpu_ms_per_scan"]
        )
        assert run["noop_cpu_ms"] > 0
