from pathlib import Path

import pytest

from tests.suite.mutants import Result, State, Verdict, files_of, verdict_of
from tests.suite.mutations import MUTATIONS
from tests.unit.suite.git import git, repository
from tests.unit.suite.reports import ERROR, PASSED, SKIPPED, failed, report


def test_a_test_that_fails_notices(tmp_path: Path) -> None:
    file = report(tmp_path, PASSED, failed("AssertionError: 1&#10;assert 1 == 2"))
    assert verdict_of(1, file) == Verdict(State.FAILED, "AssertionError: 1")


def test_tests_that_pass_notice_nothing(tmp_path: Path) -> None:
    assert verdict_of(0, report(tmp_path, PASSED, SKIPPED)) == Verdict(State.PASSED)


@pytest.mark.parametrize(
    ("code", "cases"),
    [
        (1, [ERROR]),  # a fixture
        (1, [ERROR, failed("AssertionError")]),
        (1, [failed("Failed: Timeout (&gt;300.0s) from pytest-timeout.")]),
        (2, [ERROR]),  # a module that cannot be imported
        (2, [failed("AssertionError")]),  # stopped from outside
        (0, [SKIPPED]),
        (5, []),  # none was selected
    ],
)
def test_a_run_that_broke_says_nothing(tmp_path: Path, code: int, cases: list[str]) -> None:
    assert verdict_of(code, report(tmp_path, *cases)) == Verdict(State.BROKEN)


def test_a_run_without_a_report_says_nothing(tmp_path: Path) -> None:
    assert verdict_of(1, tmp_path / "report.xml") == Verdict(State.BROKEN)


def test_the_report_names_the_test_or_the_defect_that_was_missed() -> None:
    mutation = MUTATIONS[0]
    assert mutation.tests[0] in Result(mutation, mutation.tests[0], 3.0, "AssertionError").lines()
    missed = Result(mutation, None, 3.0, "every test passed").lines()
    assert missed.startswith("MISSED")
    assert mutation.defect in missed


def test_a_copy_has_what_is_there_now_and_nothing_that_git_ignores(tmp_path: Path) -> None:
    tree = repository(tmp_path, {"kept.py": "1", "gone.py": "1", ".gitignore": "*.log\n"})
    (tree / "gone.py").unlink()
    (tree / "new name.py").write_text("1", encoding="utf-8")
    (tree / "ignored.log").write_text("1", encoding="utf-8")
    (tree / "staged.py").write_text("1", encoding="utf-8")
    git(tree, "add", "staged.py")
    assert files_of(tree) == [Path(name) for name in (".gitignore", "kept.py", "new name.py", "staged.py")]
