import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from integrations.settings import Settings
from integrations.settings_page import OTHER_VARIABLES, page, required_in_production
from tests.documented.pages import PROJECT

DOCUMENT = PROJECT / "docs" / "configuration.md"
SOURCES = ("cluster", "consumers", "deployments", "domain", "integrations", "lambdas")
# Not read from outside: what a message says of its own, and a whole group by its beginning.
_NO_VARIABLE = {"FITMONITOR_SETTINGS_PAGE_"}


def _variables() -> Iterator[tuple[str, str | None]]:
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            for inner, its in group.model_fields.items():
                yield f"FITMONITOR_{name}__{inner}".upper(), its.description
        else:
            yield f"FITMONITOR_{name}".upper(), field.description


def test_the_document_is_what_the_settings_say() -> None:
    written = DOCUMENT.read_text(encoding="utf-8")
    assert written == page(), "run: python -m integrations.settings_page > docs/configuration.md"


def test_every_setting_is_in_it_with_a_meaning() -> None:
    told = page()
    for variable, description in _variables():
        assert description, f"{variable} has no description"
        assert told.count(f"| `{variable}` |") == 1


def test_every_variable_that_the_code_names_is_in_it() -> None:
    known = {variable for variable, _ in _variables()} | OTHER_VARIABLES.keys()
    named = set[str]()
    for folder in SOURCES:
        for path in (PROJECT / folder).rglob("*.py"):
            named |= set(re.findall(r"(?<!_)FITMONITOR_[A-Z0-9_]+[A-Z0-9]\b", path.read_text(encoding="utf-8")))
    groups = {"FITMONITOR_" + name.upper() for name in Settings.model_fields}
    assert named - known - groups == set()


def test_what_production_needs_does_not_depend_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = required_in_production()
    monkeypatch.setenv("FITMONITOR_KAFKA__BOOTSTRAP_SERVERS", "broker:9092")
    assert required_in_production() == needed
    assert {"FITMONITOR_DATABASE__URL", "FITMONITOR_KAFKA__BOOTSTRAP_SERVERS"} <= set(needed)


@pytest.mark.parametrize(
    ("variable", "marks"),
    [("FITMONITOR_DATABASE__URL", "S P"), ("FITMONITOR_MAIL__SMTP_PASSWORD", "S"), ("FITMONITOR_PORT", "")],
)
def test_secrets_and_what_production_needs_are_marked(variable: str, marks: str) -> None:
    [row] = [line for line in page().splitlines() if line.startswith(f"| `{variable}` |")]
    assert row.split(" | ")[3].strip() == marks
