"""`fitmonitor status` with a fake server for the API and Ray's metrics."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from cluster.demo_data import seed_demo
from integrations.settings import Settings
from tests.loopback import serving
from tests.servers import migrate
from tests.unit.cluster.cli.forked_command import run
from tests.unit.cluster.cli.terminal_screen import run_on_terminal
from tests.unit.cluster.status.sample_reports import ready_body, record
from tests.unit.cluster.status.test_queries import PUBLISHED

_FITMONITOR = Path(sys.executable).with_name("fitmonitor")
_NOWHERE = "127.0.0.1:9"


class StandIn:
    """What answers at a stack's port."""

    def __init__(self) -> None:
        self.status = 200
        self.body: dict[str, Any] = ready_body()
        self.port = 0

    @contextmanager
    def up(self) -> Iterator["StandIn"]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                ready = self.path == "/api/ready"
                self.send_response(stand_in.status if ready else 200)
                self.end_headers()
                self.wfile.write(json.dumps(stand_in.body).encode() if ready else PUBLISHED.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the handler's own signature
                pass

        with serving(Handler) as self.port:
            yield self


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn().up() as found:
        yield found


def environment(**named: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FITMONITOR_")}
    return {**clean, "COLUMNS": "100", **named}


def status(*words: str, **named: str) -> subprocess.CompletedProcess[str]:
    return run("status", *words, COLUMNS="100", **named)


def put_up(folder: Path, stand_in: StandIn, **changed: Any) -> None:  # noqa: ANN401 - the record's own fields
    """The record of a stack that is up as long as this test runs."""
    kept: dict[str, Any] = {
        "port": stand_in.port,
        "addresses": {"metrics": f"127.0.0.1:{stand_in.port}"},
        "environment": {},  # a Kafka that is away is waited for
    }
    record(folder, **kept | changed).write()


def test_everything_is_reported_and_an_unavailable_service_affects_nothing_else(
    tmp_path: Path, stand_in: StandIn
) -> None:
    settings = Settings(data_dir=tmp_path)
    migrate(settings.database.url.get_secret_value())
    seed_demo(settings)
    put_up(tmp_path, stand_in, environment={"FITMONITOR_KAFKA__BOOTSTRAP_SERVERS": _NOWHERE})
    done = status("--json", FITMONITOR_DATA_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["ready"] is True
    assert told["readiness"] == ready_body()
    assert {gym["inside"] for gym in told["gyms"]} == {0}
    assert all(gym["capacity"] > 0 for gym in told["gyms"])
    (api,) = [each for each in told["serve"] if each["name"] == "api"]
    assert api["status"] == "running"
    assert {"name": "Gym", "status": "upscaling", "running": 0, "healthy": 1, "target": 3} in api["deployments"]
    assert told["scans"] == {"refused": 2}
    assert [part["part"] for part in told["parts"]] == ["supervisor"]
    # Kafka is away.
    assert told["kafka"] is None
    assert set(told["troubles"]) == {"kafka", "dead_letters"}
    assert done.stderr == ""


@pytest.mark.parametrize(("answers", "phase"), [(503, "ready"), (200, "starting")])
def test_the_exit_code_is_1_unless_scans_are_answered(
    tmp_path: Path, stand_in: StandIn, answers: int, phase: str
) -> None:
    stand_in.status = answers
    put_up(tmp_path, stand_in, phase=phase)
    done = status(FITMONITOR_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "not ready" in done.stdout.splitlines()[0]
    assert "no database yet" in done.stdout


def test_a_port_that_does_not_answer_is_reported(tmp_path: Path, stand_in: StandIn) -> None:
    put_up(tmp_path, stand_in, port=9, addresses={"metrics": _NOWHERE})
    done = status("--json", FITMONITOR_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert "refused" in told["readiness"]
    assert _NOWHERE in told["troubles"]["serve"]


def test_a_remote_stack_is_queried_by_its_url(stand_in: StandIn, tmp_path: Path) -> None:
    for url in (f"http://127.0.0.1:{stand_in.port}", f"http://127.0.0.1:{stand_in.port}/api/"):
        done = status("--json", FITMONITOR_URL=url, FITMONITOR_DATA_DIR=str(tmp_path))
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["url"] == f"http://127.0.0.1:{stand_in.port}"
        assert told["readiness"] == ready_body()
        # Not this machine's own database, as if it were the other's.
        assert told["gyms"] is None
        assert set(told["troubles"]) == {"parts", "serve", "kafka", "dead_letters", "gyms"}


def test_seconds_without_watch_are_wrong_usage() -> None:
    done = status("5")
    assert done.returncode == 2
    assert "--watch 5" in done.stderr


def test_watching_with_json_prints_one_object_per_line(tmp_path: Path, stand_in: StandIn) -> None:
    put_up(tmp_path, stand_in)
    watching = subprocess.Popen(
        [_FITMONITOR, "status", "--watch", "0.3", "--json"],
        env=environment(FITMONITOR_DATA_DIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    first = json.loads(watching.stdout.readline())
    assert first["ready"] is True
    (tmp_path / "stack.json").unlink()
    while (later := json.loads(watching.stdout.readline()))["ready"]:
        pass
    assert "no stack is running" in later["trouble"]
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=30)
    assert (watching.returncode, said) == (0, "")


def test_watching_in_a_pipe_prints_one_report_after_the_other(tmp_path: Path, stand_in: StandIn) -> None:
    put_up(tmp_path, stand_in)
    watching = subprocess.Popen(
        [_FITMONITOR, "status", "--watch", "0.3"],
        env=environment(FITMONITOR_DATA_DIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    heads = 0
    until = time.monotonic() + 60
    while heads < 2 and time.monotonic() < until:
        heads += watching.stdout.readline().startswith("http://")
    watching.send_signal(signal.SIGINT)
    rest, _ = watching.communicate(timeout=30)
    assert heads == 2
    assert watching.returncode == 0
    assert "\x1b" not in rest


def test_watching_on_a_terminal_uses_the_alternate_screen(tmp_path: Path, stand_in: StandIn) -> None:
    put_up(tmp_path, stand_in)
    code, written = run_on_terminal(
        ["status", "--watch", "0.3"],
        {"FITMONITOR_DATA_DIR": str(tmp_path), "TERM": "xterm-256color"},
        columns=100,
        lines=30,
        keys=(b"Ctrl-C ends", b"\x03"),
    )
    assert code == 0
    assert written.count("\x1b[?1049h") == written.count("\x1b[?1049l") == 1
    assert written.index("\x1b[?1049h") < written.index("Ctrl-C ends") < written.index("\x1b[?1049l")
    assert "\x1b[2J" not in written  # what is cleared before it is drawn flickers
