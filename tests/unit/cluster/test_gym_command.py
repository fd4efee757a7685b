"""`fitmonitor gym`: what an installation does before anybody can sign in."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner, Result

from cluster.cli.gyms import app
from cluster.errors import CommandError
from domain.migrations.run import upgrade
from integrations.settings import Settings, settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    upgrade(Settings(data_dir=tmp_path).database.url.get_secret_value())
    return tmp_path


def run(folder: Path, *words: str, piped: str | None = None) -> Result:
    settings.cache_clear()
    try:
        return CliRunner().invoke(app, list(words), input=piped, env={"FITMONITOR_DATA_DIR": str(folder)})
    finally:
        settings.cache_clear()


def create(folder: Path, name: str, *further: str, zone: str = "Europe/Berlin") -> Result:
    return run(folder, "create", name, "--address", "Quay 7", "--time-zone", zone, "--capacity", "12", *further)


def listed(folder: Path, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(folder, "list", "--json", *words).output)
    return found


def test_a_gym_is_made_listed_and_retired(folder: Path) -> None:
    assert listed(folder) == []
    made = json.loads(create(folder, " Riverside ", "--json").output)
    assert (made["name"], made["legacy_number"], made["version"]) == ("Riverside", 1, 1)
    assert "is gym 2" in create(folder, "Old Mill").output
    assert [gym["name"] for gym in listed(folder)] == ["Riverside", "Old Mill"]
    shown = run(folder, "list").output
    assert "Riverside" in shown
    assert made["id"] in shown
    assert run(folder, "retire", "RIVERSIDE").output == "Riverside is retired. Its past stays.\n"
    assert [gym["name"] for gym in listed(folder)] == ["Old Mill"]
    assert [gym["name"] for gym in listed(folder, "--retired")] == ["Riverside"]


def test_hours_are_shown_as_they_were_set(folder: Path) -> None:
    create(folder, "Riverside")
    assert run(folder, "hours", "1").output == "Now it is open.\n"
    wanted = {
        "hours": [{"weekday": 0, "opens": "06:00", "closes": "26:00"}],
        "exceptions": [
            {"day": "2026-12-25", "closed": True, "note": "Christmas"},
            {"day": "2026-12-26", "opens": "10:00", "closes": "12:00"},
        ],
    }
    done = run(folder, "hours", "riverside", "--set", "-", piped=json.dumps(wanted))
    assert done.output.splitlines()[:3] == [
        "Mon  06:00-26:00",
        "2026-12-25  closed  Christmas",
        "2026-12-26  10:00-12:00",
    ]
    kept = folder / "hours.json"
    kept.write_text(run(folder, "hours", "riverside", "--json").output)
    assert json.loads(kept.read_text())["time_zone"] == "Europe/Berlin"
    assert run(folder, "hours", "riverside", "--set", str(kept)).exit_code == 0, "what is written can be read again"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["retire", "nowhere"], CommandError),
        (["retire", "0198c0de-0000-7000-8000-000000000000"], CommandError),
        (["retire", "twice"], CommandError),
        (["hours", "1", "--set", "nothing.json"], CommandError),
        (["hours", "1", "--set", "-"], CommandError),
        (["create", "x", "--address", "y", "--time-zone", "Moon/Crater", "--capacity", "1"], ValidationError),
    ],
)
def test_what_cannot_be_done_is_said(folder: Path, words: list[str], kind: type[Exception]) -> None:
    for _ in range(2):
        create(folder, "Twice")
    overlapping = {"hours": [{"weekday": 0, "opens": "06:00", "closes": "05:00"}]}
    assert isinstance(run(folder, *words, piped=json.dumps(overlapping)).exception, kind)
