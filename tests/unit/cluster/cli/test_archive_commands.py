"""`fitmonitor attendance backfill` and `verify` on a database file and a folder."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert
from typer.testing import CliRunner, Result

from cluster.cli.attendance import app
from domain.door.tables import visits
from domain.ids import first_id_of
from integrations.settings import Settings, settings
from tests.stores import sqlite_store
from tests.unit.consumers.archive_parts import GYM, NOON

DAYS = 3


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A stack that is not running, with a visit on each of some days."""
    store = sqlite_store(tmp_path)
    with store.writing() as connection:
        for day in range(DAYS):
            at = NOON + timedelta(days=day)
            connection.execute(insert(visits).values(id=first_id_of(at), gym_id=GYM, entered_at=at, left_at=at))
    store.close()
    monkeypatch.setenv("FITMONITOR_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FITMONITOR_DATABASE__URL", f"sqlite:///{tmp_path / 'gym.sqlite3'}")
    settings.cache_clear()
    yield settings()
    settings.cache_clear()


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.usefixtures("stack")
def test_the_archive_is_filled_and_verified() -> None:
    until = (NOON + timedelta(days=DAYS - 1)).date().isoformat()
    first = run("backfill", "--until", "2026-03-03", "--json")
    assert msgspec.json.decode(first.stdout)["facts"]["visits"] == DAYS - 1
    assert run("backfill").stdout.startswith("1 facts are in the archive now")
    assert run("backfill").stdout.startswith("0 facts")
    assert run("verify").stdout == f"{DAYS} days of tables agree with the database.\n"
    assert run("verify").stdout == "0 days of tables agree with the database.\n"
    again = run("verify", "--from", "2026-03-02", "--until", until, "--json")
    assert (again.exit_code, msgspec.json.decode(again.stdout)) == (0, [])


@pytest.mark.usefixtures("stack")
def test_days_that_differ_are_printed_and_rewritten() -> None:
    wanted = ("verify", "--from", "2026-03-02", "--until", "2026-03-02")
    result = run(*wanted, "--no-rewrite", "--json")
    assert result.exit_code == 3
    (day,) = msgspec.json.decode(result.stdout)
    assert (day["table"], day["day"], day["missing"], day["rewritten"]) == ("visits", "2026-03-02", 1, False)
    assert run(*wanted).exit_code == 0
    assert run(*wanted).stdout == "4 days of tables agree with the database.\n"


@pytest.mark.usefixtures("stack")
def test_a_wrong_date_says_how_to_write_it() -> None:
    result = CliRunner().invoke(app, ["verify", "--from", "yesterday"])
    assert "'yesterday' is not a date" in str(result.exception)
