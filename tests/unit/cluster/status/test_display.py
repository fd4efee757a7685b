"""The drawn status report, in terminals of usual sizes."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from cluster.local.stack_processes import PartStatus
from cluster.status.kafka import DeadLetterCount, Rates
from cluster.status.report import Report, report_as_json
from cluster.status.serve import ApplicationState, DeploymentState
from cluster.status.target import Target
from cluster.status.watch import Observation, fitted_view, full_view
from tests.unit.cluster.status.sample_reports import DEPLOYMENTS, PARTS, group, ready_body, report

RATES = {"door-consumers": Rates(51.3, 50.9), "payment-consumers": Rates(0.0, 0.0)}


def seen(observation: Observation, columns: int = 80, lines: int = 24, *, watched: bool = False) -> str:
    console = Console(file=io.StringIO(), width=columns, height=lines, highlight=False)
    console.print(fitted_view(observation, console, 2) if watched else full_view(observation, columns))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def line(text: str, begins: str) -> str:
    (found,) = [each for each in text.splitlines() if each.startswith(begins)]
    return found


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_every_part_application_consumer_gym_and_process_is_there_at_any_width(tmp_path: Path, columns: int) -> None:
    text = seen(Observation(report(tmp_path)), columns)
    names = [*PARTS, *DEPLOYMENTS, *(each for app in DEPLOYMENTS.values() for each in app)]
    names += ["door-consumers", "payment-consumers", "Riverside", "12 of 120", "60 of 60", "mock_broker", "api:Gateway"]
    assert [name for name in names if name not in text] == []
    assert max(len(each) for each in text.splitlines()) <= columns
    assert text.startswith("http://127.0.0.1:8000  embedded  ready\n")


def test_problems_are_shown_beside_what_they_affect(tmp_path: Path) -> None:
    bad = report(
        tmp_path,
        http_status=503,
        readiness=ready_body("database", "payments"),
        kafka=[group("door-consumers", "door-commands", 42, members=0)],
        dead_letters=DeadLetterCount(3, counted=True),
        serve=[ApplicationState("api", "deploy failed", (DeploymentState("Gym", "updating", 1, 1, 2),))],
        parts=[PartStatus("Ray", "Ray", alive=False, pids=[9], pss_mib=0)],
    )
    text = seen(Observation(bad), 120)
    assert "not ready" in text.splitlines()[0]
    assert "down, doors work" in line(text, "payments")
    assert "down" in line(text, "database")
    assert "doors work" not in line(text, "database")
    assert "deploy failed" in text
    assert "1/2" in text
    assert "42  0, empty" in line(text, "door-consumers")
    assert "dead letters waiting: 3  (fitmonitor kafka dead-letters)" in text
    assert "dead" in line(text, "Ray")


def test_failed_queries_are_shown_with_their_errors(tmp_path: Path) -> None:
    errors = {name: f"[red]no {name}[/red] today" for name in ("kafka", "gyms", "serve", "parts", "dead_letters")}
    lame = report(tmp_path, errors=errors, dead_letters=None, readiness="<html>")
    text = seen(Observation(lame))
    for error in [*errors.values(), "<html>"]:
        assert error in text
    assert text.startswith("http://127.0.0.1:8000  embedded  ready\n")
    told = report_as_json(lame, {})
    assert [told[name] for name in ("kafka", "gyms", "serve", "dead_letters")] == [None] * 4
    assert told["troubles"] == errors


def test_the_watched_status_fits_an_ordinary_terminal(tmp_path: Path) -> None:
    text = seen(Observation(report(tmp_path), RATES), watched=True)
    assert len(text.rstrip("\n").splitlines()) <= 24
    assert "4 processes, 293 MiB" in text
    assert "Ctrl-C ends" in text
    assert "51.3" in line(text, "door-consumers")
    assert "mock_broker" not in text


def test_the_watched_status_shows_processes_where_they_fit(tmp_path: Path) -> None:
    assert "mock_broker" in seen(Observation(report(tmp_path), RATES), 120, 50, watched=True)


def test_the_watch_says_that_no_stack_is_running() -> None:
    assert "no stack is running" in seen(Observation(None, error="no stack is running in .data"), watched=True)


def test_a_remote_stack_has_no_phase() -> None:
    remote = Report(report(Path()).at, Target("https://gym.example.org", ""), 200, ready_body())
    assert (remote.phase, remote.ready) == (None, True)
    assert report_as_json(remote, {})["addresses"] == {}


def test_the_json_has_the_documented_fields(tmp_path: Path) -> None:
    told = report_as_json(report(tmp_path), RATES)
    kept = {"url", "profile", "phase", "ready", "readiness", "pss_mib", "addresses", "parts"}
    assert kept <= set(told)
    assert told["pss_mib"] == 293
    assert told["kafka"][0]["rates_per_s"] == Rates(51.3, 50.9)
