"""What a sweep takes away, and what it leaves."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from cluster.cli.images import app
from cluster.errors import CommandError
from domain.identity.tables import users
from domain.machines.model import MachineText
from domain.machines.service import create_machine
from domain.unit_of_work import Store
from integrations.images.filesystem import DirectoryImageStore
from integrations.lease import Lease
from integrations.settings import settings
from tests.servers import migrate
from tests.world import START, World

SHOWN, UNSHOWN, YOUNG = "a" * 64, "b" * 64, "c" * 64
TWO_DAYS = timedelta(days=2).total_seconds()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder with a picture that is shown, one that is not, and one that is young, under each prefix."""
    monkeypatch.setenv("FITMONITOR_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    url = f"sqlite:///{tmp_path / 'fitmonitor.sqlite3'}"
    migrate(url)
    store = Store(url)
    world = World(store)
    gym, member = world.gym(), world.member()
    with store.writing() as connection:
        text = MachineText("Bench", "bench")
        create_machine(connection, gym, text, SHOWN, START)
        connection.execute(update(users).where(users.c.id == member).values(picture_url=f"/api/pictures/{SHOWN}"))
    store.close()
    images = DirectoryImageStore(tmp_path / "images")
    long_ago = datetime.now(UTC).timestamp() - TWO_DAYS
    for key in [
        *(
            f"{prefix}/{name}/{size}"
            for prefix in ("images", "pictures")
            for name in (SHOWN, UNSHOWN, YOUNG)
            for size in ("large", "small")
        ),
        *("quarantine/old", "quarantine/young"),
    ]:
        images.put(key, BytesIO(b"points"), "image/webp")
        if YOUNG not in key and "young" not in key:
            os.utime(tmp_path / "images" / f"{key}.webp", (long_ago, long_ago))
    yield tmp_path
    settings.cache_clear()


def kept(folder: Path) -> set[str]:
    return set(DirectoryImageStore(folder / "images").keys("", datetime.now(UTC) + timedelta(days=1)))


OLD = {f"{prefix}/{UNSHOWN}/{size}" for prefix in ("images", "pictures") for size in ("large", "small")}


def test_a_dry_run_names_what_is_old_and_shown_by_nobody_and_leaves_it(folder: Path) -> None:
    before = kept(folder)
    ran = CliRunner().invoke(app, ["sweep", "--dry-run", "--json"])
    assert ran.exit_code == 0
    assert set(json.loads(ran.stdout)["keys"]) == OLD | {"quarantine/old"}
    assert json.loads(ran.stdout)["kept"] == 4
    assert kept(folder) == before


def test_a_sweep_takes_away_what_is_old_and_shown_by_nobody(folder: Path) -> None:
    before = kept(folder)
    ran = CliRunner().invoke(app, ["sweep"])
    assert ran.exit_code == 0
    assert ran.stdout.splitlines()[-1] == "5 deleted, 4 kept because they are shown."
    assert kept(folder) == before - OLD - {"quarantine/old"}
    assert CliRunner().invoke(app, ["sweep"]).stdout == "0 deleted, 4 kept because they are shown.\n"


def test_how_old_is_a_setting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITMONITOR_IMAGES__DELETE_UNUSED_AFTER_HOURS", "72")
    settings.cache_clear()
    before = kept(folder)
    assert CliRunner().invoke(app, ["sweep"]).exit_code == 0
    assert kept(folder) == before


def test_while_one_sweep_runs_another_takes_nothing_away(folder: Path) -> None:
    before = kept(folder)
    store = Store(f"sqlite:///{folder / 'fitmonitor.sqlite3'}")
    lease = Lease(store, "image-sweep", timedelta(hours=1))
    assert lease.try_acquire()
    ran = CliRunner().invoke(app, ["sweep"])
    assert isinstance(ran.exception, CommandError)
    assert ran.exception.message == "another sweep is running"
    assert kept(folder) == before
    assert CliRunner().invoke(app, ["sweep", "--dry-run"]).exit_code == 0
    lease.release()
    assert CliRunner().invoke(app, ["sweep"]).exit_code == 0
    store.close()


def test_a_sweep_that_has_lost_its_lease_takes_nothing_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept(folder)
    monkeypatch.setattr("cluster.cli.images._LEASE_LASTS", timedelta(0))
    ran = CliRunner().invoke(app, ["sweep"])
    assert isinstance(ran.exception, CommandError)
    assert kept(folder) == before
