import pytest

from tests.documented.elsewhere import ELSEWHERE, is_shown
from tests.documented.pages import COMMANDS, SHOWN, Block, Page, lines_to_run, pages
from tests.documented.shell import unlisted

ALL = pages()


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_a_block_says_whether_it_is_run_or_shown(page: Page) -> None:
    unsaid = [f"{page.name}:{block.line}" for block in page.blocks if block.language not in {COMMANDS, *SHOWN}]
    assert unsaid == [], f"say {COMMANDS} of commands, else one of {', '.join(sorted(SHOWN))}"


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_a_command_can_be_run_as_it_stands_or_somebody_else_runs_it(page: Page) -> None:
    assert list(unlisted(page, ELSEWHERE)) == []


def test_every_command_that_is_run_elsewhere_is_in_a_document() -> None:
    said = {command for page in ALL for block in page.commands for command in lines_to_run(block)}
    assert sorted(ELSEWHERE.keys() - said) == []


@pytest.mark.parametrize("command", ELSEWHERE)
def test_who_runs_a_command_elsewhere_is_there(command: str) -> None:
    assert is_shown(command, ELSEWHERE[command]), f"{ELSEWHERE[command]} is not there"


def test_a_test_or_target_that_is_not_there_is_noticed() -> None:
    assert not is_shown("make nothing", "by hand")
    assert not is_shown("make run", "tests/unit/docs/test_blocks.py::test_nothing")
    assert not is_shown("make run", "tests/unit/docs/test_nothing.py::test_nothing")


def test_comments_and_continued_lines_are_no_commands_of_their_own() -> None:
    text = "# said\ncurl -s x \\\n  -d y      # sends it\n\nfitmonitor status\n"
    assert list(lines_to_run(Block("sh", text, 1))) == ["curl -s x -d y", "fitmonitor status"]
