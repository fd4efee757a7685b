"""A small rush through the running system, by its command."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.api import Api
from tests.e2e.commands import Commands

_SMALL = ("demo", "rush", "--members", "60", "--gyms", "2", "--minutes", "10")


def rush(stack: Api, *options: str) -> dict[str, Any]:
    """The figures of a rush, by the executable: it handles signals and draws."""
    done = stack.tested.run(*_SMALL, "--json", *options)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.check
def test_every_invariant_holds_after_a_small_rush(
    stack: Api, admin: dict[str, str], fm: Commands, tmp_path: Path
) -> None:
    demo = stack.client.get("/gyms", headers=admin).json()["items"]
    result = rush(stack, "--picture", str(tmp_path / "rush"))
    assert {each["name"] for each in result["invariants"] if not each["holds"]} == set()
    assert {"answers_right", "reconciled", "occupancy_as_counted"} <= {each["name"] for each in result["invariants"]}
    assert result["is_good"]
    assert not result["is_interrupted"]
    assert result["entered"] > 0
    assert result["let_out"] == result["came_before"] + result["entered"] - result["left"]
    assert result["remain_inside"] == 0
    assert [Path(file).name for file in result["pictures"]] == ["rush.png", "rush.svg"]
    assert all(Path(file).stat().st_size > 10_000 for file in result["pictures"])
    gyms = stack.client.get("/gyms", headers=admin).json()["items"]
    assert [gym for gym in gyms if not gym["name"].startswith("Rush gym")] == demo
    assert fm.said("payments", "check").endswith("agree.\n")


@pytest.mark.soak("tools")
def test_an_interrupted_rush_keeps_every_invariant(stack: Api, fm: Commands, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cluster.cli.main", *_SMALL, "--speed", "10", "--json"]
    with subprocess.Popen(
        [*command, "--picture", str(tmp_path / "rush")],
        env=stack.tested.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stderr
        lines = (line for line in child.stderr if "rush" in line.split())
        assert [next(lines), next(lines)], "it has begun"
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=60)
    assert child.returncode == 130
    result: dict[str, Any] = json.loads(out)
    assert result["is_interrupted"]
    assert result["unanswered"] == 0
    assert [each for each in result["invariants"] if not each["holds"]] == []
    assert 0 < result["minutes_done"] < 10
    assert result["remain_inside"] > 0
    assert (tmp_path / "rush.svg").exists()
    assert "agree" in fm.said("reconcile")
    after = rush(stack)
    assert after["is_good"], "whoever was left inside was let out first"
    assert after["remain_inside"] == 0


def test_too_few_members_are_rejected(fm: Commands) -> None:
    done = fm.run("demo", "rush", "--members", "30", "--gyms", "10")
    assert (done.returncode, done.stdout) == (2, "")
    assert "30 members are too few for 10 gyms" in " ".join(done.stderr.split())
