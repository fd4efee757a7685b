"""A setting that cannot be read names its variable, and what it takes."""

import json
from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from integrations.settings import Settings
from integrations.settings_errors import example_of, takes_json


def _of_json() -> Iterator[tuple[str, FieldInfo]]:
    for name, field in Settings.model_fields.items():
        if takes_json(field.annotation):
            yield f"FITMONITOR_{name.upper()}", field
        group = field.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            for inner, each in group.model_fields.items():
                if takes_json(each.annotation):
                    yield f"FITMONITOR_{name.upper()}__{inner.upper()}", each


OF_JSON = dict(_of_json())


@pytest.mark.parametrize("variable", OF_JSON)
@pytest.mark.parametrize("value", ["https://app.example.com", "[", "7", '"text"', "null?"])
def test_a_value_that_is_not_the_json_that_is_wanted_names_its_variable_and_an_example(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError) as raised:
        Settings()
    (error,) = raised.value.errors()
    assert error["loc"] == (variable,)
    assert error["msg"].startswith("must be a JSON ")
    assert error["msg"].endswith(f", as in {variable}='{example_of(OF_JSON[variable])}'")


@pytest.mark.parametrize("variable", OF_JSON)
def test_the_example_is_accepted(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, example_of(OF_JSON[variable]))
    Settings()


def test_settings_that_take_json_are_known() -> None:
    assert {"FITMONITOR_API", "FITMONITOR_API__ALLOWED_ORIGINS"} <= OF_JSON.keys()


def test_a_group_as_json_and_a_setting_of_it_are_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITMONITOR_API", json.dumps({"max_body_bytes": 2048, "idempotency_hours": 2}))
    monkeypatch.setenv("FITMONITOR_API__IDEMPOTENCY_HOURS", "3")
    api = Settings().api
    assert (api.max_body_bytes, api.idempotency_hours) == (2048, 3)


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITMONITOR_DATABASE", '{"url": "mysql://gym:s3cret@host/gym"')
    monkeypatch.setenv("FITMONITOR_STRIPE__TIMEOUT_S", "s3cret")
    with pytest.raises(ValidationError) as raised:
        Settings()
    assert "FITMONITOR_DATABASE\n" in str(raised.value)
    assert "FITMONITOR_STRIPE__TIMEOUT_S\n" in str(raised.value)
    assert "s3cret" not in f"{raised.value} {raised.value!r} {raised.value.errors()}"


def test_an_entry_that_does_not_fit_is_named_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITMONITOR_API__ALLOWED_ORIGINS", '["https://app.example.com", 7]')
    with pytest.raises(ValidationError, match=r"FITMONITOR_API__ALLOWED_ORIGINS\s+entry 1: "):
        Settings()


@pytest.mark.parametrize(
    ("named", "compared"),
    [
        ("https://app.example.com/", "https://app.example.com"),
        (" https://APP.Example.com ", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://app.example.com:80/", "http://app.example.com"),
        ("https://app.example.com:80", "https://app.example.com:80"),
        ("http://localhost:4200", "http://localhost:4200"),
        ("https://b\u00fccher.example", "https://xn--bcher-kva.example"),
        ("http://[::1]:4200/", "http://[::1]:4200"),
        ("Capacitor://localhost/", "capacitor://localhost"),
        ("*", "*"),
    ],
)
def test_an_origin_is_compared_as_browsers_send_it(monkeypatch: pytest.MonkeyPatch, named: str, compared: str) -> None:
    monkeypatch.setenv("FITMONITOR_API__ALLOWED_ORIGINS", json.dumps([named, compared]))
    assert Settings().api.allowed_origins == [compared]


@pytest.mark.parametrize(
    "named",
    [
        "https://app.example.com/app",
        "app.example.com",
        "https://",
        "https://a b",
        "https://u@a.example",
        "null",
        "",
        "file:///x",
    ],
)
def test_what_no_browser_sends_as_an_origin_is_refused(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("FITMONITOR_API__ALLOWED_ORIGINS", json.dumps([named]))
    with pytest.raises(ValidationError, match=r"FITMONITOR_API__ALLOWED_ORIGINS\s+.*is not an origin.*as in "):
        Settings()
