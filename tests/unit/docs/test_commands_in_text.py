import re

import pytest

from tests.documented.pages import Page, lines_to_run, pages
from tests.documented.tree import wrong_with

ALL = pages()
_OURS = re.compile(r"^(fitmonitor|make)( |$)")


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_every_command_that_a_document_speaks_of_is_there(page: Page) -> None:
    spoken = list(page.spoken)
    spoken += [(block.line, line) for block in page.commands for line in lines_to_run(block)]
    wrong = {f"{page.name}:{line}: {said}": wrong_with(said) for line, said in spoken if _OURS.match(said)}
    assert {said: why for said, why in wrong.items() if why} == {}


@pytest.mark.parametrize(
    ("spoken", "why"),
    [
        ("fitmonitor nonsense", "there is no command nonsense"),
        ("fitmonitor kafka nonsense", "kafka has no command nonsense"),
        ("fitmonitor kafka lag --nonsense", "kafka lag has no option --nonsense"),
        ("fitmonitor up --nonsense", "up has no option --nonsense"),
        ("make nonsense", "there is no target nonsense"),
    ],
)
def test_a_command_that_is_not_there_is_noticed(spoken: str, why: str) -> None:
    assert wrong_with(spoken) == why


@pytest.mark.parametrize(
    "spoken",
    [
        "fitmonitor",
        "fitmonitor pass …",
        "fitmonitor payments reconcile --days 7",
        "fitmonitor --verbose status --json | head -1",
        "fitmonitor kafka dead-letters show ID",
        'make test TEST_ARGS="tests/unit -k door"',
    ],
)
def test_a_command_that_is_there_is_let_be(spoken: str) -> None:
    assert wrong_with(spoken) == ""
