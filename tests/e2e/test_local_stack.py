"""What a running stack opens, keeps from others, and says to a second start."""

import stat
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import pytest

from domain.ids import new_id
from tests.e2e.api import Api
from tests.e2e.commands import Commands
from tests.stacks import TestedStack
from tests.waiting import wait_until

# Everything that a stack opens beyond loopback, by the title of the process. Serve binds this server to every
# interface and has no setting for it; docs/security.md tells of it.
BEYOND_LOOPBACK = {"ray::ServeReplica": "gRPC between deployments, which asks for Ray's token"}


def test_status_names_every_part_for_programs(fm: Commands) -> None:
    status = fm.json("status")
    assert status["ready"] is True
    assert {"supervisor", "mock broker", "Ray"} <= {part["part"] for part in status["parts"]}
    assert all(part["alive"] for part in status["parts"])
    assert status["pss_mib"] > 0


def test_a_second_start_in_the_folder_says_that_it_is_up(stack: Api) -> None:
    done = stack.tested.run("up")
    assert done.returncode == 1
    assert stack.url in done.stderr
    assert f"pid {stack.tested.record.supervisor.pid}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert stack.tested.is_ready


def test_a_taken_port_is_reported_with_its_fix(stack: Api, tmp_path: Path) -> None:
    other = TestedStack(tmp_path, port=stack.port)
    done = other.run("up")
    assert done.returncode == 1
    assert f"port {other.port} of 127.0.0.1 is taken" in done.stderr
    assert f"FITMONITOR_PORT={other.port + 1}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_nothing_listens_beyond_loopback_but_what_is_named(stack: Api) -> None:
    seen = {
        (title.split(":", 3)[2] if title.startswith("ray::") else title, link.laddr.ip)
        for process in stack.tested.processes()
        for title in [process.cmdline()[0] if process.cmdline() else process.name()]
        for link in process.net_connections("inet")
        if link.status == "LISTEN"
    }
    assert seen, "a stack listens somewhere"
    beyond = {f"ray::{title}" for title, ip in seen if ip.removeprefix("::ffff:") != "127.0.0.1"}
    assert beyond == set(BEYOND_LOOPBACK)


def test_what_listens_beyond_loopback_asks_for_the_token(stack: Api) -> None:
    asked = 0
    for process in stack.tested.processes():
        for link in process.net_connections("inet"):
            if link.status == "LISTEN" and link.laddr.ip == "::":
                with grpc.insecure_channel(f"127.0.0.1:{link.laddr.port}") as channel:
                    call = channel.unary_unary("/ray.serve.ASGIService/HandleRequest")
                    for metadata in ((), (("authorization", "Bearer " + "0" * 64),)):
                        with pytest.raises(grpc.RpcError) as refused:
                            call(b"", timeout=20, metadata=metadata)
                        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
                        asked += 1
    assert asked >= 2


def test_what_holds_secrets_is_for_its_owner_alone(stack: Api) -> None:
    data_dir, run_dir = stack.tested.data_dir, stack.tested.record.run_dir
    secret = [
        data_dir / "stack.json",
        data_dir / "demo.json",
        data_dir / "fitmonitor.sqlite3",
        run_dir,
        run_dir / "ray.token",
    ]
    assert {str(path): stat.S_IMODE(path.stat().st_mode) & 0o077 for path in secret} == {
        str(path): 0 for path in secret
    }


def test_the_line_of_a_request_is_in_the_log_when_it_is_answered(stack: Api) -> None:
    request_id = f"logged-{new_id()}"
    answer = stack.client.get("/gyms/none", headers={**stack.admin, "X-Request-Id": request_id})
    logs = stack.tested.record.run_dir / "ray" / "session_latest" / "logs" / "serve"

    def is_there() -> bool:
        return any(request_id in file.read_text(errors="replace") for file in logs.glob("replica_api_Gateway_*"))

    wait_until(is_there, 20, lambda: f"{answer.status_code}, and no line in {[file.name for file in logs.iterdir()]}")
