import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.suite.pytest_run import PROJECT
from tests.waiting import wait_until

_TEST = """
import os, pathlib, time
import pytest

HERE = pathlib.Path(__file__).parent

@pytest.fixture(scope="session")
def server():
    (HERE / "started").touch()
    yield
    # Longer than xdist waits for its workers by itself.
    time.sleep(11 if "PYTEST_XDIST_WORKER" in os.environ else 0)
    (HERE / "stopped").touch()

def test_that_takes_long(server):
    time.sleep(300)
"""

_RUN = """
import signal, sys
from pathlib import Path
from cluster.signals import end_on_signals
from tests.servers import SHARED
from tests.suite.pytest_run import pytest

end_on_signals()
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
folder = Path(sys.argv[1])
sys.exit(pytest(sys.argv[2:], {SHARED: str(folder / "servers")}, folder))
"""


@pytest.mark.check
@pytest.mark.parametrize("workers", ["0", "1"])
def test_fixtures_stop_what_they_started_when_a_run_is_terminated(tmp_path: Path, workers: str) -> None:
    (tmp_path / "test_long.py").write_text(_TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "servers").mkdir()
    command = [sys.executable, "-c", _RUN, str(tmp_path), "-n", workers, "-p", "no:cacheprovider", "-s"]
    with (tmp_path / "output").open("w") as output:
        running = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until((tmp_path / "started").exists, 60, (tmp_path / "output").read_text)
        running.send_signal(signal.SIGTERM)
        running.wait(60)
        assert (tmp_path / "stopped").exists(), (tmp_path / "output").read_text()
    finally:
        running.kill()
        running.wait()
