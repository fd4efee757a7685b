import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, text

from cluster.cli.main import COMMANDS
from cluster.local.ports import free_port
from domain.identity.tables import users
from domain.migrations.run import bring_to
from domain.unit_of_work import Store
from tests.unit.cluster.cli.forked_command import run

_FITMONITOR = Path(sys.executable).with_name("fitmonitor")


def test_the_list_of_commands_needs_no_ray() -> None:
    seen = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cluster.cli.main", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(entry.name in seen.stdout for entry in COMMANDS)
    imported = {line.rsplit("|", 1)[-1].strip() for line in seen.stderr.splitlines()}
    assert not {"ray", "sqlalchemy", "confluent_kafka"} & imported


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_every_command_explains_itself(entry: object) -> None:
    done = run(entry.name, "--help")  # type: ignore[attr-defined]
    assert done.returncode == 0, done.stderr
    assert "Usage: fitmonitor" in done.stdout


def test_wrong_usage_has_exit_code_2() -> None:
    assert run("nonsense").returncode == 2
    assert run("up", "--profile", "nonsense").returncode == 2


def test_an_error_is_one_line_with_a_hint_and_exit_code_1(tmp_path: Path) -> None:
    """The installed command, as a shell starts it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FITMONITOR_")}
    done = subprocess.run(
        [_FITMONITOR, "status"],
        env=clean | {"FITMONITOR_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"fitmonitor: no stack is running in {tmp_path}: start one with `fitmonitor up`\n"


def test_verbose_prints_the_traceback(tmp_path: Path) -> None:
    for words in (("--verbose", "status"), ("status", "--verbose")):
        done = run(*words, FITMONITOR_DATA_DIR=str(tmp_path))
        assert done.returncode == 1
        assert "Traceback" in done.stderr


def test_a_command_that_calls_the_api_needs_a_stack_or_a_url(tmp_path: Path) -> None:
    done = run("gym", "list", FITMONITOR_DATA_DIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"fitmonitor: no stack is running in {tmp_path}: start one with `fitmonitor up`\n"
    away = {"FITMONITOR_URL": f"http://127.0.0.1:{free_port()}", "FITMONITOR_TOKEN": "token"}
    done = run("gym", "list", **away)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "nothing answers at http://127.0.0.1" in done.stderr


def test_an_incomplete_name_has_exit_code_2() -> None:
    done = run("gate", "show", "Front door", FITMONITOR_URL="http://127.0.0.1:1", FITMONITOR_TOKEN="token")  # noqa: S106 - of nobody
    assert done.returncode == 2
    assert "write it like 'Riverside/Front door'" in done.stderr


def test_production_without_its_settings_names_each_one() -> None:
    done = run("migrate", FITMONITOR_PROFILE="production")
    assert done.returncode == 1
    assert "FITMONITOR_DATABASE__URL" in done.stderr
    assert "FITMONITOR_PASSES__KEY_DIR" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_up_refuses_the_profile_of_many_machines() -> None:
    done = run("up", "--profile", "production", FITMONITOR_DATABASE__URL="sqlite://")
    assert done.returncode == 1


def test_doctor_says_what_is_missing_and_how_to_fix_it(tmp_path: Path) -> None:
    done = run("doctor", "--profile", "full", FITMONITOR_CACHE_DIR=str(tmp_path), FITMONITOR_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "Kafka: missing" in done.stdout
    assert "-m cluster.local.install" in done.stdout


def test_migrate_removes_the_address_of_an_account_that_would_collide(tmp_path: Path) -> None:
    url, mia, eve = f"sqlite:///{tmp_path / 'store.sqlite3'}", UUID(int=1), UUID(int=2)
    store = Store(url)
    with store.writing() as connection:
        bring_to(connection, "0007")
        for user_id, email in ((mia, "mia@example.org"), (eve, "MIA@example.org")):
            values = {"id": user_id.bytes, "email": email, "name": "A member", "created_at": "2026-03-02 12:00:00"}
            connection.execute(
                text("INSERT INTO users (id, email, name, created_at) VALUES (:id, :email, :name, :created_at)"), values
            )
    environment = {"FITMONITOR_DATA_DIR": str(tmp_path), "FITMONITOR_DATABASE__URL": url}
    refused = run("migrate", **environment)
    assert refused.returncode == 1
    assert f"{mia}, {eve}" in refused.stderr
    assert "mia@" not in refused.stderr.lower()
    assert run("migrate", "--release-address", str(UUID(int=3)), **environment).returncode == 1
    done = run("migrate", "--release-address", str(eve), **environment)
    assert done.returncode == 0, done.stderr
    with store.reading() as connection:
        assert connection.execute(select(users.c.email).order_by(users.c.id)).scalars().all() == [
            "mia@example.org",
            None,
        ]
    store.close()


def test_migrate_creates_the_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    for _ in range(2):
        done = run("migrate", FITMONITOR_DATA_DIR=str(tmp_path), FITMONITOR_DATABASE__URL=url)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "store.sqlite3").stat().st_size > 0
