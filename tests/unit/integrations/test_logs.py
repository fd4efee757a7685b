import json
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import MemoryHandler
from pathlib import Path

import pytest
import structlog

from deployments.service_host import DatabaseUnavailableError
from integrations.logs import configure_logging
from integrations.settings import Settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, while it is imported
    from ray.serve._private.logging_utils import StreamToLogger  # what stands for standard error in a replica


@pytest.fixture(autouse=True)
def _as_before() -> object:
    yield
    structlog.reset_defaults()


def test_an_event_is_one_line_of_json_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings())
    structlog.get_logger().info("scan_decided", scan_id="s1", milliseconds=3)
    captured = capsys.readouterr()
    assert captured.out == ""
    event = json.loads(captured.err)
    assert event.pop("time").endswith("Z")
    assert event == {"event": "scan_decided", "level": "info", "scan_id": "s1", "milliseconds": 3}


def fail(code: str) -> None:
    raise DatabaseUnavailableError("broken" if code else "")


def test_an_exception_stays_on_its_line_and_tells_no_variables(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings())
    try:
        fail("a-members-code")
    except DatabaseUnavailableError:
        structlog.get_logger().exception("batch_failed")
    [line] = capsys.readouterr().err.splitlines()
    assert "a-members-code" not in line
    assert json.loads(line)["exception"][0]["exc_value"] == "broken"


def test_below_the_level_of_the_settings_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_level="warning"))
    structlog.get_logger().info("too_small")
    assert capsys.readouterr().err == ""


def test_a_level_that_there_is_not_stops_the_start_with_the_settings_name() -> None:
    with pytest.raises(ValueError, match="FITMONITOR_LOG_LEVEL"):
        configure_logging(Settings(log_level="loud"))


@contextmanager
def held_back(file: Path) -> Iterator[None]:
    """Standard error as in a replica that is tuned for throughput: Serve holds its lines back by the thousand."""
    log, stream = logging.getLogger("ray.serve"), sys.stderr
    before = log.handlers[:], log.level, log.propagate
    target = logging.FileHandler(file)
    log.handlers[:] = [MemoryHandler(1000, logging.ERROR, target)]
    log.propagate = False
    log.setLevel(logging.INFO)
    sys.stderr = StreamToLogger(log, logging.INFO, stream)
    yield
    sys.stderr = stream
    log.handlers[:], log.level, log.propagate = before
    target.close()


@pytest.mark.parametrize("level", ["warning", "error", "critical", "exception"])
def test_a_line_that_tells_of_trouble_reaches_the_file_at_once_with_all_before_it(tmp_path: Path, level: str) -> None:
    file = tmp_path / "replica.log"
    with held_back(file):
        configure_logging(Settings())
        log = structlog.get_logger()
        log.info("request", path="/before")
        assert file.read_text() == "", "Serve holds it back"
        getattr(log, level)("request_failed", path="/broken")
        lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["request", "request_failed"]
