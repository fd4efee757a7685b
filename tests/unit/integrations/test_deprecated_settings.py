"""A setting that has lost its meaning is accepted for one version, and reported."""

import json

import pytest
import structlog

from cluster.cli.doctor import _settings
from integrations.logs import configure_logging
from integrations.settings import Settings

DEPRECATED = ["FITMONITOR_DOOR__HANDLE_BATCH_MAX", "FITMONITOR_DOOR__HANDLE_CALLS_IN_FLIGHT"]


@pytest.fixture
def _deprecated(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in DEPRECATED:
        monkeypatch.setenv(variable, "8")


@pytest.mark.usefixtures("_deprecated")
def test_it_is_accepted_and_named_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    own = Settings()
    assert own.deprecated_variables == DEPRECATED
    try:
        configure_logging(own)
    finally:
        structlog.reset_defaults()
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line) | {"time": ""} == {
        "event": "settings_deprecated",
        "level": "warning",
        "time": "",
        "variables": DEPRECATED,
    }


@pytest.mark.usefixtures("_deprecated")
def test_the_doctor_notes_it_and_lacks_nothing() -> None:
    _, findings = _settings(None)
    assert [finding.found.split()[0] for finding in findings] == DEPRECATED
    assert not any(finding.lacks or finding.good for finding in findings)


def test_settings_that_are_not_set_are_not_reported() -> None:
    assert Settings().deprecated_variables == []
