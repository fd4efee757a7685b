"""Former names of settings stay valid for one version."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from cluster import settings_file
from integrations import logs
from integrations.deprecated_settings import (
    DEPRECATED_SETTINGS,
    DeprecatedSetting,
    deprecated_among,
    with_current_names,
)
from integrations.logs import configure_logging
from integrations.settings import Settings, deprecated_settings_in_use, settings

OLD, NEW = "FITMONITOR_DOOR__TIDY_EVERY_S", "FITMONITOR_DOOR__EXPIRE_VISITS_EVERY_S"
REMOVED = DeprecatedSetting("door", "handle_batch_size", None)


def group_of(setting: DeprecatedSetting) -> type[BaseModel]:
    group = Settings.model_fields[setting.group].annotation
    assert isinstance(group, type) and issubclass(group, BaseModel)  # noqa: PT018
    return group


@pytest.fixture(autouse=True)
def warned_anew() -> Iterator[None]:
    caches = (logs.warn_of_deprecated_settings, settings_file.warn_of_deprecated_settings, settings)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


@pytest.mark.parametrize("setting", DEPRECATED_SETTINGS, ids=lambda each: each.variable)
def test_a_former_name_sets_the_current_setting(monkeypatch: pytest.MonkeyPatch, setting: DeprecatedSetting) -> None:
    fields = group_of(setting).model_fields
    assert setting.name not in fields
    if setting.replacement is None:
        return
    default = fields[setting.replacement].default
    value = 7 if default is None else default + 1
    monkeypatch.setenv(setting.variable, str(value))
    assert getattr(getattr(Settings(), setting.group), setting.replacement) == value
    assert deprecated_settings_in_use() == [setting]


def test_former_names_are_unique() -> None:
    assert len({each.variable for each in DEPRECATED_SETTINGS}) == len(DEPRECATED_SETTINGS)


def test_a_former_name_inside_a_group_as_json_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITMONITOR_DOOR", json.dumps({"tidy_every_s": 5}))
    assert Settings().door.expire_visits_every_s == 5
    assert [each.variable for each in deprecated_settings_in_use()] == [OLD]


def test_both_names_with_the_same_value_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OLD, "9")
    monkeypatch.setenv(NEW, "9")
    assert Settings().door.expire_visits_every_s == 9


def test_both_names_with_different_values_are_an_error_that_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OLD, "9")
    monkeypatch.setenv(NEW, "8")
    with pytest.raises(ValidationError, match=f"{NEW} and its deprecated name {OLD} have different values"):
        Settings()


def test_an_invalid_value_under_a_former_name_names_both_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OLD, "-1")
    with pytest.raises(ValidationError, match=rf"{NEW}\s+.*deprecated name {OLD}"):
        Settings()


def test_current_names_alone_are_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NEW, "9")
    assert deprecated_settings_in_use() == []


def test_a_removed_setting_is_ignored_and_reported() -> None:
    values = {"door": {"handle_batch_size": "64", "batch_max": "2"}, "port": "8000"}
    assert with_current_names(values, [REMOVED]) == {"door": {"batch_max": "2"}, "port": "8000"}
    assert list(deprecated_among(values, [REMOVED])) == [REMOVED]
    assert REMOVED.hint == "It has no effect. Remove it."


def test_a_group_that_is_not_an_object_is_left_to_validation() -> None:
    assert with_current_names({"door": "text"}) == {"door": "text"}


def test_a_warning_is_logged_once_per_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(OLD, "9")
    configure_logging(Settings())
    configure_logging(Settings())
    [line] = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["variable"]) == ("setting_deprecated", "warning", OLD)
    assert event["hint"] == f"Use {NEW}."


def test_a_command_prints_a_warning_as_one_plain_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv(OLD, "9")
    monkeypatch.setenv("FITMONITOR_DATA_DIR", str(tmp_path))
    configure_logging(settings_file.stack_settings(), warn_of_deprecated=False)
    settings_file.stack_settings()
    assert capsys.readouterr().err == f"fitmonitor: {OLD} is deprecated. Use {NEW}.\n"
