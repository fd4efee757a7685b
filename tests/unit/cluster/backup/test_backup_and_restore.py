"""The commands `fitmonitor backup` and `fitmonitor restore`."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from cluster.cli.backup import backup
from cluster.cli.restore import restore
from cluster.errors import CommandError
from integrations.settings import Settings, settings
from tests.servers import migrate
from tests.unit.cluster.backup.filled_folder import url_of


def run(stack: Settings, *words: str, answer: str = "", **environment: str) -> Result:
    settings.cache_clear()
    app = typer.Typer()
    app.command("backup")(backup)
    app.command("restore")(restore)
    own = {"FITMONITOR_DATA_DIR": str(stack.data_dir), "COLUMNS": "200"}
    try:
        return CliRunner().invoke(app, list(words), input=answer, env=own | environment)
    finally:
        settings.cache_clear()


def test_a_backup_lists_its_contents_and_can_be_verified(stack: Settings, tmp_path: Path) -> None:
    file = str(tmp_path / "monday")
    done = run(stack, "backup", file)
    assert done.exit_code == 0, done.output
    assert "rows of" in done.stdout
    assert "4 pictures" in done.stdout
    said = json.loads(run(stack, "backup", file, "--force", "--json").stdout)
    assert said["rows"]["visits"] == 2
    assert said["bytes"] == (tmp_path / "monday").stat().st_size
    assert said["left_out"] == said["missing_pictures"] == []
    assert "is valid" in run(stack, "restore", file, "--check").stdout
    assert json.loads(run(stack, "restore", file, "--check", "--json").stdout)["good"] is True


def test_a_restore_lists_disagreements_and_next_steps(stack: Settings, empty: Settings, file: Path) -> None:
    done = run(empty, "restore", str(file))
    assert done.exit_code == 3, done.output
    assert "disagrees: open_without_visit" in done.stdout
    assert "fitmonitor up --profile embedded" in done.stdout
    assert "2 were inside then" in done.stdout
    assert "fitmonitor payments reconcile" in done.stdout
    again = run(empty, "restore", str(file))
    assert isinstance(again.exception, CommandError)
    assert "is not empty" in str(again.exception)
    assert stack.data_dir != empty.data_dir


def test_a_restore_of_an_empty_stack_succeeds(empty: Settings, tmp_path: Path) -> None:
    empty.data_dir.mkdir()
    migrate(url_of(empty))
    file = str(tmp_path / "nothing")
    assert run(empty, "backup", file).exit_code == 0
    done = run(empty, "restore", file, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["door"], said["ledger"], sum(said["rows"].values())) == ([], [], 0)


def test_without_a_stack_there_is_no_backup(empty: Settings, tmp_path: Path) -> None:
    done = run(empty, "backup", str(tmp_path / "file"))
    assert isinstance(done.exception, CommandError)
    assert "no database yet" in str(done.exception)
    assert not (tmp_path / "file").exists()


def test_pictures_can_be_restored_again(stack: Settings, file: Path) -> None:
    assert run(stack, "restore", str(file), "--pictures").stdout == "4 pictures were restored.\n"
    done = run(stack, "restore", str(file), "--pictures", FITMONITOR_PROFILE="full")
    assert "not running" in str(done.exception)


def test_check_and_pictures_exclude_each_other(stack: Settings, file: Path) -> None:
    assert run(stack, "restore", str(file), "--pictures", "--check").exit_code == 2


@pytest.mark.parametrize("words", [["backup"], ["restore"]])
def test_the_file_is_required(stack: Settings, words: list[str]) -> None:
    assert run(stack, *words).exit_code == 2
