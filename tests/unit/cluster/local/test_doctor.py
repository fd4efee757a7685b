"""`fitmonitor doctor`: what is missing, and how to fix it."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
import typer
from typer.testing import CliRunner, Result

from cluster.cli.doctor import doctor as command
from cluster.local.doctor import machine as machine_checks
from cluster.local.doctor import servers as reach_checks
from cluster.local.doctor import stack as stack_checks
from cluster.local.doctor.checks import examine
from cluster.local.doctor.finding import Finding
from cluster.local.doctor.machine import check_machine
from cluster.local.doctor.servers import check_pass_keys, check_servers
from cluster.local.folders import run_dir
from cluster.local.ports import free_port
from cluster.local.process import ProcessId
from integrations.pass_keys import ensure_pass_key
from integrations.settings import DatabaseSettings, KafkaSettings, PassSettings, Profile, Settings, settings
from tests.servers import migrate
from tests.unit.cluster.cli.data_folder import clean_environment
from tests.unit.cluster.status.sample_reports import record

_DEAD = "127.0.0.1:9"
_PRODUCTION = {
    "FITMONITOR_DATABASE__URL": f"mysql+pymysql://gym:s3cret@{_DEAD}/gym",
    "FITMONITOR_KAFKA__BOOTSTRAP_SERVERS": _DEAD,
    "FITMONITOR_IDENTITY__ISSUER": "https://issuer.example.org",
    "FITMONITOR_IDENTITY__JWKS_URL": "https://issuer.example.org/jwks",
    "FITMONITOR_IDENTITY__USER_POOL_ID": "pool",
    "FITMONITOR_IDENTITY__REGION": "eu-central-1",
    "FITMONITOR_IDENTITY__CLIENT_ID": "client",
    "FITMONITOR_MAIL__SMTP_HOST": "mail.example.org",
    "FITMONITOR_IMAGES__BUCKET": "pictures",
}


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for an unavailable Kafka."""
    monkeypatch.setattr(reach_checks, "_TIMEOUT_S", 1.0)


def one(findings: Sequence[Finding], what: str) -> Finding:
    (found,) = [finding for finding in findings if finding.what == what]
    return found


def embedded(folder: Path, port: int | None = None, host: str = "127.0.0.1") -> Sequence[Finding]:
    return examine(Settings(data_dir=folder, port=port or free_port(), host=host), Profile.EMBEDDED)


def doctor(*words: str, **environment: str) -> Result:
    with clean_environment():
        settings.cache_clear()
        app = typer.Typer()
        app.command()(command)
        return CliRunner().invoke(app, list(words), env=environment)


# What is shown


def test_the_exit_code_is_1_if_a_required_check_fails(tmp_path: Path) -> None:
    port = free_port()
    environment = {"FITMONITOR_DATA_DIR": str(tmp_path), "FITMONITOR_PORT": str(port)}
    well = doctor("--json", **environment)
    found = json.loads(well.stdout)
    assert all(finding["mend"] == finding["hint"] for finding in found)
    assert {"Python", "memory", "disk", "open files", "sockets", "clock", "port", "other ports", "leftovers"} <= {
        finding["what"] for finding in found
    }
    assert well.exit_code == int(any(each["needed"] and not each["good"] for each in found))
    with socket.create_server(("127.0.0.1", port)):
        ill = doctor(**environment)
    assert ill.exit_code == 1
    assert f"lack  port: 127.0.0.1:{port} is taken by " in ill.stdout
    assert f"      choose another port: FITMONITOR_PORT={port + 1}\n" in ill.stdout


def test_every_failed_check_says_how_to_fix_it(tmp_path: Path) -> None:
    findings = examine(Settings(data_dir=tmp_path, host="192.0.2.1"), Profile.FULL)
    assert one(findings, "port").good is False
    assert [finding for finding in findings if not finding.good and not finding.hint] == []


def test_the_profile_comes_from_the_environment_by_default(tmp_path: Path) -> None:
    environment = {"FITMONITOR_DATA_DIR": str(tmp_path), "FITMONITOR_PROFILE": "full"}
    assert "MariaDB" in doctor(**environment).stdout
    assert "MariaDB" not in doctor("--profile", "embedded", **environment).stdout


# Settings


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("FITMONITOR_API__ALLOWED_ORIGINS", "https://app.test", "must be a JSON list, as in "),
        ("fitmonitor_api__allowed_origins", "https://app.test", "must be a JSON list, as in "),
        ("FITMONITOR_API", "nonsense", "must be a JSON object, as in "),
        ("FITMONITOR_DOOR", "nonsense", "must be a JSON object, as in "),
        ("FITMONITOR_PORT", "first", "should be a valid integer"),
        ("FITMONITOR_IDENTITY__REDIRECT_URIS", '["/callback"]', "is not a valid redirect URI"),
        ("FITMONITOR_PROFILE", "small", "should be 'embedded'"),
    ],
)
def test_an_invalid_setting_is_named_and_the_machine_is_still_checked(
    tmp_path: Path, variable: str, value: str, told: str
) -> None:
    ran = doctor("--json", FITMONITOR_DATA_DIR=str(tmp_path), **{variable: value})
    found = [finding for finding in json.loads(ran.stdout) if finding["what"] == "settings"]
    assert [variable.upper() in each["found"] and told in each["found"] for each in found] == [True]
    assert ran.exit_code == 1
    assert '"what": "Python"' in ran.stdout


def test_deprecated_settings_are_named_beside_an_invalid_one(tmp_path: Path) -> None:
    former, invalid = "FITMONITOR_DOOR__TIDY_EVERY_S", "FITMONITOR_DOOR__DEADLINE_S"
    told = doctor(FITMONITOR_DATA_DIR=str(tmp_path), **{former: "60", invalid: "soon"}).stdout
    assert f"lack  settings: {invalid} " in told
    assert f"note  settings: {former} is deprecated\n" in told


def test_invalid_and_missing_settings_are_reported_together() -> None:
    told = doctor("--profile", "production", FITMONITOR_API__ALLOWED_ORIGINS="https://app.test").stdout
    assert "FITMONITOR_API__ALLOWED_ORIGINS must be a JSON list" in told
    assert "Production requires these settings: " in told


@pytest.mark.parametrize(
    ("origins", "good", "found"),
    [
        ('["https://app.test"]', True, "https://app.test"),
        ('["https://App.test:443/"]', False, "read as https://app.test"),
        ('["*"]', False, "pages of every origin can call the API"),
        ("[]", True, "only http://127.0.0.1:8000"),
    ],
)
def test_origins_are_shown_as_they_are_compared(
    tmp_path: Path,
    origins: str,
    good: bool,  # noqa: FBT001
    found: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FITMONITOR_API__ALLOWED_ORIGINS", origins)
    told = one(examine(Settings(data_dir=tmp_path), Profile.EMBEDDED), "allowed origins")
    assert (told.good, told.found, told.lacks) == (good, found, False)


def test_a_client_whose_origin_is_not_allowed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITMONITOR_DEFAULT_STAGE__REDIRECT_URI", "https://app.test/callback")
    told = one(examine(Settings(data_dir=tmp_path), Profile.EMBEDDED), "existing web client")
    assert (told.good, told.lacks) == (False, False)
    assert "add https://app.test to FITMONITOR_API__ALLOWED_ORIGINS" in told.hint
    monkeypatch.setenv("FITMONITOR_API__ALLOWED_ORIGINS", '["https://app.test/"]')
    assert one(examine(Settings(data_dir=tmp_path), Profile.EMBEDDED), "existing web client").good


# The machine


@pytest.mark.parametrize(
    ("host", "port", "hint"),
    [("192.0.2.1", 8000, "FITMONITOR_HOST"), ("127.0.0.1", 65535, "FITMONITOR_PORT=8000")],
)
def test_an_unusable_port_comes_with_a_hint(tmp_path: Path, host: str, port: int, hint: str) -> None:
    held = socket.create_server(("127.0.0.1", 65535)) if port == 65535 else None
    try:
        found = one(embedded(tmp_path, port, host), "port")
    finally:
        if held:
            held.close()
    assert not found.good
    assert hint in found.hint


def test_a_low_limit_of_open_files_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, 1024))
    found = one(list(check_machine(Profile.EMBEDDED, Settings(data_dir=tmp_path), up=False)), "open files")
    assert (found.lacks, found.found) == (True, "limit 1024")
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, resource.RLIM_INFINITY))
    assert one(list(check_machine(Profile.EMBEDDED, Settings(data_dir=tmp_path), up=False)), "open files").good


def test_a_folder_without_sockets_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "run_dir", lambda _data_dir: tmp_path / "not there" / "fm-x")
    found = one(list(check_machine(Profile.EMBEDDED, Settings(data_dir=tmp_path), up=False)), "sockets")
    assert not found.good
    assert "not there" in found.hint


def test_a_clock_that_systemd_does_not_synchronize_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kept in (True, False):
        monkeypatch.setattr(machine_checks, "_is_synchronized", lambda kept=kept: kept)
        assert one(embedded(tmp_path), "clock").lacks is not kept


def test_a_clock_that_only_the_kernel_doubts_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "_is_synchronized", lambda: None)
    monkeypatch.setattr(machine_checks, "_kernel_reports_unsynchronized", lambda: True)
    found = one(embedded(tmp_path), "clock")
    assert (found.good, found.lacks) == (False, False)


# Leftovers


def test_processes_of_a_killed_stack_are_found_and_down_is_the_hint(tmp_path: Path) -> None:
    gone = ProcessId(pid=2**22 + 1, created=0.0)
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        record(
            tmp_path,
            supervisor=gone,
            boot=psutil.boot_time(),
            processes={"mock broker": ProcessId.of(left.pid)},
        ).write()
        found = one(embedded(tmp_path), "leftovers")
    finally:
        left.send_signal(signal.SIGKILL)
        left.wait()
    assert found.lacks
    assert found.found == "1 processes of a killed stack"
    assert f"FITMONITOR_DATA_DIR={tmp_path} fitmonitor down" in found.hint
    assert one(embedded(tmp_path), "leftovers").good


def test_unused_run_folders_are_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_checks, "run_dir", lambda _data_dir: tmp_path / "fm-x")
    names = [run_dir(tmp_path).name, "fm-aaaaaaaaaa", "fm-bbbbbbbbbb", "fm-two-others"]
    unused, used, young, foreign = (tmp_path / name for name in names)
    for folder in (unused, used, young, foreign):
        folder.mkdir()
    for folder in (unused, used, foreign):
        os.utime(folder, (time.time() - 3600,) * 2)
    user = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], cwd=used)
    try:
        found = one(embedded(tmp_path / "data"), "run folders")
    finally:
        user.kill()
        user.wait()
    assert (found.good, found.lacks) == (False, False)
    assert found.hint == f"rm -r {unused}"


# Servers


def test_missing_settings_of_production_are_named_and_the_machine_is_checked(tmp_path: Path) -> None:
    done = doctor("--profile", "production", "--json", FITMONITOR_DATA_DIR=str(tmp_path))
    assert done.exit_code == 1
    findings = json.loads(done.stdout)
    assert findings[0]["what"] == "settings"
    assert "FITMONITOR_DATABASE__URL" in findings[0]["found"]
    assert "FITMONITOR_KAFKA__BOOTSTRAP_SERVERS" in findings[0]["found"]
    assert "memory" in {finding["what"] for finding in findings}


@pytest.mark.usefixtures("soon")
def test_unreachable_servers_are_reported_without_their_passwords(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    named = _PRODUCTION | {"FITMONITOR_PASSES__KEY_DIR": str(keys)}
    done = doctor("--profile", "production", FITMONITOR_DATA_DIR=str(tmp_path), **named)
    assert done.exit_code == 1
    assert f"lack  database: {_DEAD}/gym cannot be reached" in done.stdout
    assert f"lack  Kafka: {_DEAD} cannot be reached" in done.stdout
    assert f"mkdir -m 700 -p {keys}" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr


@pytest.mark.usefixtures("soon")
def test_a_database_without_tables_needs_a_migration(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    chosen = Settings(
        data_dir=tmp_path,
        database=DatabaseSettings.model_validate({"url": url}),
        kafka=KafkaSettings(bootstrap_servers=_DEAD),
    )
    (tmp_path / "store.sqlite3").touch()
    found = one(list(check_servers(chosen, up=True)), "schema")
    assert (found.good, found.hint) == (False, "fitmonitor migrate")
    migrate(url)
    findings = list(check_servers(chosen, up=True))
    assert one(findings, "schema").good
    assert "fitmonitor up" in one(findings, "Kafka").hint


def test_missing_pass_keys_are_created_by_the_command_in_the_hint(tmp_path: Path) -> None:
    chosen = Settings(data_dir=tmp_path, passes=PassSettings(key_dir=tmp_path / "keys"))
    (tmp_path / "keys").mkdir()
    assert check_pass_keys(chosen).hint == "fitmonitor pass rotate-key"
    ensure_pass_key(tmp_path / "keys")
    assert check_pass_keys(chosen).good
