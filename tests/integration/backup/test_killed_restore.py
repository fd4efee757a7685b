"""After a killed restore of the full profile, the next one stops the server that was left and starts over."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from sqlalchemy import create_engine, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from cluster.local.mariadb import MariaDbServer
from cluster.local.stack_record import read_record
from domain.identity.tables import users
from domain.unit_of_work import Store
from tests.servers import migrate
from tests.unit.cluster.backup.filled_folder import MOMENT, settings_in, taken

FITMONITOR = Path(sys.executable).with_name("fitmonitor")
MEMBERS = 20_000
WITHIN_S = 240.0
INTERRUPTED = 130


@pytest.fixture
def file(tmp_path: Path) -> Path:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    migrate(url)
    store = Store(url, pool_size=1)
    people = [
        {"id": uuid4(), "email": f"{number}@example.org", "name": "Mia", "created_at": MOMENT}
        for number in range(MEMBERS)
    ]
    with store.writing() as connection:
        connection.execute(insert(users), people)
    store.close()
    taken(settings_in(tmp_path / "first", url), tmp_path / "file")
    return tmp_path / "file"


def server_of(folder: Path) -> MariaDbServer | None:
    """The server of that folder, where it takes connections."""
    try:
        config = (folder / "mariadb" / "my.cnf").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    port = next(line.partition("=")[2] for line in config.splitlines() if line.startswith("port="))
    server = MariaDbServer(folder / "mariadb", int(port))
    return server if server.is_ready() else None


def has_rows(folder: Path) -> bool:
    """Whether rows have come into the store of that folder."""
    server = server_of(folder)
    if server is None:
        return False
    engine = create_engine(server.url)
    try:
        with engine.connect() as connection:
            return bool(connection.execute(select(func.count()).select_from(users)).scalar_one())
    except SQLAlchemyError:  # no tables yet
        return False
    finally:
        engine.dispose()


def ended(
    words: Sequence[str], environment: Mapping[str, str], reached: Callable[[], bool], how: signal.Signals
) -> int:
    """The exit code of a command that a signal ends once something is reached."""
    child = subprocess.Popen([FITMONITOR, *words], env=environment, start_new_session=True)
    until = time.monotonic() + WITHIN_S
    while not reached():
        assert child.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    child.send_signal(how)
    return child.wait(WITHIN_S)


def servers_in(folder: Path) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in word for word in process.info["cmdline"] or ())
    ]


@pytest.mark.soak("tools")
def test_a_killed_restore_starts_over(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "second"
    environment = {
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "FITMONITOR_PROFILE": "full",
        "FITMONITOR_DATA_DIR": str(folder),
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [FITMONITOR, *words], env=environment, capture_output=True, text=True, timeout=WITHIN_S, check=False
        )

    words = ("restore", str(file), "--yes")
    assert ended(words, environment, lambda: has_rows(folder), signal.SIGKILL) == -signal.SIGKILL
    assert servers_in(folder), "the server is not killed with it"
    refused = run("restore", str(file))
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "A restore was interrupted here" in refused.stderr
    assert not servers_in(folder)
    assert ended(words, environment, lambda: server_of(folder) is not None, signal.SIGINT) == INTERRUPTED
    assert not servers_in(folder), "whoever is interrupted tidies up"
    done = run("restore", str(file), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{MEMBERS:,} rows" in done.stdout
    assert read_record(folder) is None
    assert not servers_in(folder)
