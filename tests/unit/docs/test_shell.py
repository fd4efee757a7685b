from pathlib import Path

import pytest

from tests.documented.pages import Page
from tests.documented.shell import Ran, run

_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


def _run(tmp_path: Path, text: str, *left_out: str) -> Ran:
    document = tmp_path / "document.md"
    document.write_text(text, encoding="utf-8")
    folder = tmp_path / "folder"
    folder.mkdir()
    environment = {**_ENVIRONMENT, "FITMONITOR_DATA_DIR": str(tmp_path)}
    return run(Page(document), folder, "http://127.0.0.1:1234", environment, left_out, 30)


def test_blocks_run_in_one_shell_at_the_stacks_own_address(tmp_path: Path) -> None:
    ran = _run(
        tmp_path, "```sh\nAPI=http://127.0.0.1:8000/api\n```\n\nThen\n\n```sh\necho $API .data/document.md\n```\n"
    )
    assert (ran.code, ran.said) == (
        0,
        "#> document.md:2\n#> document.md:8\nhttp://127.0.0.1:1234/api .data/document.md\n",
    )


@pytest.mark.parametrize("command", ["false", "false | cat", "echo $NOT_SET", "VALUE=$(false)", "no-such-program"])
def test_a_command_that_fails_ends_the_document_and_is_named(tmp_path: Path, command: str) -> None:
    ran = _run(tmp_path, f"```sh\necho one\n```\n\n```sh\n{command}\n```\n\n```sh\necho three\n```\n")
    assert ran.code != 0
    assert "three" not in ran.said
    assert ran.last.startswith("#> document.md:6\n")


def test_an_error_of_the_api_is_a_failure_even_where_curl_is_silent(tmp_path: Path) -> None:
    ran = _run(tmp_path, "```sh\ntype curl\n```\n")
    assert "--fail-with-body" in ran.said


def test_what_is_only_shown_or_run_elsewhere_is_not_run(tmp_path: Path) -> None:
    text = "```text\nfalse\n```\n\n```sh\nmake nothing   # takes hours\necho done\n```\n"
    assert _run(tmp_path, text, "make nothing").said.endswith("done\n")


def test_a_document_finds_what_a_checkout_has(tmp_path: Path) -> None:
    ran = _run(tmp_path, "```sh\nls README.md docs .venv/bin/python\npython -c 'import cluster'\n```\n")
    assert ran.code == 0, ran.last
