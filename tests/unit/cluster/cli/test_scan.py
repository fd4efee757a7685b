import json
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import Result

from cluster.cli.scan_client import Door, NoAnswerError, ScanClient
from cluster.errors import CommandError
from integrations.rendering.pass_images import png
from tests.pass_photographs import bad_photograph
from tests.unit.cluster.cli.data_folder import Stack, clean_environment
from tests.unit.cluster.cli.scripted_api import ScriptedApi, scripted_api

CODE = "eyJhbGciOiJFZERTQSIsImtpZCI6IjY3NTNhMWYwIn0." + "aB3-_" * 13 + "A." + "xY9_-" * 17 + "A"
IN = {"id": "01981b2c-0000-7000-8000-000000000001", "name": "Way in", "serves": "in", "device": "d1.s1"}
FRONT = {"id": "01981b2c-0000-7000-8000-000000000002", "name": "Front door", "serves": "both", "device": "d2.s2"}
BACK = {"id": "01981b2c-0000-7000-8000-000000000003", "name": "Back door", "serves": "both", "device": "d3.s3"}
ENTERED: dict[str, Any] = {
    "scan_id": "s", "outcome": "entered", "reason": None, "remedy": None,
    "member": {"id": "01981b2c-0000-7000-8000-00000000000a", "name": "Ada", "picture_url": None},
    "gym_id": "01981b2c-0000-7000-8000-00000000000b", "occupancy": 12, "capacity": 120,
    "decided_at": "2026-03-01T12:00:00Z", "replayed": False,
}  # fmt: skip
REFUSED = ENTERED | {"outcome": "refused", "reason": "membership_ended", "remedy": "renew"}
PROBLEM = {
    "type": "x",
    "title": "No answer in time",
    "status": 503,
    "detail": "Ask again.",
    "code": "no_answer_in_time",
}


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as api:
        api.answers = [(200, ENTERED)]
        yield api


@pytest.fixture
def stack(tmp_path: Path, api: ScriptedApi) -> Iterator[Stack]:
    with clean_environment():
        stack = Stack(tmp_path, {"FITMONITOR_PORT": str(api.port), "COLUMNS": "120"})
        stack.demo(IN, FRONT, BACK)
        yield stack


def error_of(result: Result) -> CommandError:
    assert isinstance(result.exception, CommandError), result.output
    return result.exception


# What is sent


def test_a_code_is_scanned_at_the_first_gate_that_serves_both_ways(stack: Stack, api: ScriptedApi) -> None:
    assert stack.run("scan", CODE).exit_code == 0
    [(path, authorization, body)] = api.asked
    assert path == "/api/scans"
    assert authorization == "Device d2.s2"
    assert body.pop("scan_id")
    assert body == {"code": CODE, "gate_id": FRONT["id"], "direction": "auto"}


@pytest.mark.parametrize("gate", [BACK["id"], "Back door", "back door", "Riverside/Back door"])
def test_a_gate_is_named_by_id_or_by_name(stack: Stack, api: ScriptedApi, gate: str) -> None:
    stack.run("scan", CODE, "--gate", gate, "--direction", "leave", "--scan-id", "mine")
    [(_, authorization, body)] = api.asked
    assert (body["gate_id"], authorization) == (BACK["id"], "Device d3.s3")
    assert (body["direction"], body["scan_id"]) == ("leave", "mine")


def test_the_device_option_takes_precedence_over_environment_and_demo(stack: Stack, api: ScriptedApi) -> None:
    stack.environment["FITMONITOR_DEVICE"] = "d8.s8"
    stack.run("scan", CODE)
    stack.run("scan", CODE, "--device", "d9.s9")
    assert [authorization for _, authorization, _ in api.asked] == ["Device d8.s8", "Device d9.s9"]


def test_without_a_demo_gate_and_device_are_required(stack: Stack, api: ScriptedApi) -> None:
    (stack.settings.data_dir / "demo.json").unlink()
    assert "--gate" in error_of(stack.run("scan", CODE)).hint
    assert "--device" in error_of(stack.run("scan", CODE, "--gate", FRONT["id"])).hint
    assert "no gate" in error_of(stack.run("scan", CODE, "--gate", "Side door")).message
    assert stack.run("scan", CODE, "--gate", FRONT["id"], "--device", "d9.s9").exit_code == 0
    assert len(api.asked) == 1


def test_a_code_may_come_from_standard_input(stack: Stack, api: ScriptedApi) -> None:
    assert stack.run("scan", "-", stdin=f"{CODE}\n").exit_code == 0
    assert stack.run("scan", stdin=f"{CODE}\n").exit_code == 0
    assert [body["code"] for _, _, body in api.asked] == [CODE, CODE]


@pytest.mark.parametrize("code", ["hello", "x" * 5000, "a/b", "ü"])
def test_any_other_text_is_sent_to_the_door(stack: Stack, api: ScriptedApi, code: str) -> None:
    assert stack.run("scan", code).exit_code == 0
    assert api.asked[0][2]["code"] == code


# Pictures


def test_a_picture_is_read(stack: Stack, api: ScriptedApi, tmp_path: Path) -> None:
    (tmp_path / "pass.png").write_bytes(png(CODE))
    assert stack.run("scan", str(tmp_path / "pass.png")).exit_code == 0
    assert api.asked[0][2]["code"] == CODE


def test_a_bad_photograph_is_read(stack: Stack, api: ScriptedApi, tmp_path: Path) -> None:
    picture = bad_photograph(png(CODE), rotation=20, perspective=0.2, blur=2, noise=15, shadow=0.5, jpeg_quality=35)
    (tmp_path / "photo.jpg").write_bytes(picture)
    assert stack.run("scan", str(tmp_path / "photo.jpg")).exit_code == 0
    assert api.asked[0][2]["code"] == CODE


def test_a_picture_that_is_not_there_or_shows_nothing_is_an_error(stack: Stack, tmp_path: Path) -> None:
    assert "no picture" in error_of(stack.run("scan", str(tmp_path / "nowhere.jpg"))).message
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    assert "not a readable picture" in error_of(stack.run("scan", str(tmp_path / "broken.png"))).message


# What is told


def test_an_entry_has_exit_code_0(stack: Stack) -> None:
    result = stack.run("scan", CODE)
    assert result.stdout == "entered Ada\n12 of 120 inside\n"


def test_a_refusal_has_reason_remedy_and_exit_code_3(stack: Stack, api: ScriptedApi) -> None:
    api.answers = [(200, REFUSED)]
    result = stack.run("scan", CODE)
    assert result.exit_code == 3
    assert result.stdout == "refused: membership_ended Ada\nremedy: renew\n12 of 120 inside\n"


def test_json_is_the_answer_of_the_api(stack: Stack) -> None:
    assert json.loads(stack.run("scan", CODE, "--json").stdout) == ENTERED


def test_a_name_cannot_colour_the_terminal(stack: Stack, api: ScriptedApi) -> None:
    api.answers = [(200, ENTERED | {"member": {"name": "[red]Ada[/red]"}})]
    assert "[red]Ada[/red]" in stack.run("scan", CODE).stdout


# When there is no answer


def test_a_503_is_retried_with_the_same_scan_id(stack: Stack, api: ScriptedApi) -> None:
    api.answers = [(503, PROBLEM), (503, PROBLEM), (200, ENTERED)]
    api.retry_after = "0"
    assert stack.run("scan", CODE).exit_code == 0
    assert len(api.asked) == 3
    assert len({body["scan_id"] for _, _, body in api.asked}) == 1


def test_without_an_answer_the_scan_id_is_printed(stack: Stack, api: ScriptedApi) -> None:
    api.answers = [(503, PROBLEM)]
    api.retry_after = "60"
    result = stack.run("scan", CODE, "--scan-id", "mine")
    assert result.exit_code == 4
    assert "--scan-id mine" in result.stderr
    assert "--annul mine" in result.stderr
    told = stack.run("scan", CODE, "--scan-id", "mine", "--json")
    assert told.exit_code == 4
    assert json.loads(told.stdout) == {"scan_id": "mine", "outcome": None}


def test_retries_end_at_the_time_limit(api: ScriptedApi) -> None:
    api.answers = [(503, PROBLEM)]
    api.retry_after = "0"
    calls = ScanClient(f"http://127.0.0.1:{api.port}", Door(FRONT["id"], "d.s"), retry_for_s=2.0)
    with pytest.raises(NoAnswerError):
        calls.scan(CODE, "auto", "s")
    assert 2 <= len(api.asked) <= 8


def test_a_broken_connection_is_retried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        calls = ScanClient(f"http://127.0.0.1:{listener.getsockname()[1]}", Door(FRONT["id"], "d.s"), retry_for_s=0.2)
        listener.settimeout(5)

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.close()

        thread = Thread(target=hang_up)
        thread.start()
        with pytest.raises(NoAnswerError):
            calls.scan(CODE, "auto", "s")
        thread.join()


def test_without_a_stack_the_hint_is_to_start_it(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stack.environment["FITMONITOR_PORT"] = str(listener.getsockname()[1])
    error = error_of(stack.run("scan", CODE))
    assert "nothing answers" in error.message
    assert "fitmonitor up" in error.hint


@pytest.mark.parametrize("status", [401, 403, 404, 409, 422])
def test_a_refused_request_is_an_error_with_the_servers_text(stack: Stack, api: ScriptedApi, status: int) -> None:
    api.answers = [(status, {"status": status, "detail": "The device is not known.", "code": "x"})]
    assert "The device is not known" in error_of(stack.run("scan", CODE)).message
    assert len(api.asked) == 1


def test_another_server_is_recognised(stack: Stack, api: ScriptedApi) -> None:
    api.answers = [(200, b"<html>")]
    assert "is not one of FIT Monitor" in error_of(stack.run("scan", CODE)).message


# Undoing


def test_a_scan_is_annulled_by_its_id(stack: Stack, api: ScriptedApi) -> None:
    api.answers = [(200, {"scan_id": "a/b", "annulled_at": "x", "gym_id": "x", "occupancy": 11, "capacity": 120})]
    result = stack.run("scan", "--annul", "a/b")
    assert result.stdout == "annulled: 11 of 120 inside\n"
    assert api.asked[0][0] == "/api/scans/a%2Fb/annul"
