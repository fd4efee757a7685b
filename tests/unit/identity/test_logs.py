import json

import pytest
import structlog

from integrations.logs import configure_logging
from integrations.settings import Settings


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
    raise RuntimeError("broken" if code else "")


def test_an_exception_stays_on_its_line_and_tells_no_variables(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings())
    try:
        fail("a-members-code")
    except RuntimeError:
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
