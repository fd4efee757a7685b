from pathlib import Path

import pytest

from tests.suite.shards import SHARDS
from tests.suite.soak import Result, due, keep, kept, outcomes, state_of_tree
from tests.unit.suite.git import git, repository
from tests.unit.suite.reports import ERROR, PASSED, SKIPPED, failed, report

GOOD = Result("outages", 3, [], [], 12.5)
FLAKY = Result("outages", 3, ["tests.test_a::test_b"], [], 12.5)
BAD = Result("outages", 3, [], ["tests.test_a::test_b"], 12.5)
EMPTY = Result("outages", 0, [], [], 1.0)


def test_failures_and_errors_are_named_and_skipped_tests_have_not_passed(tmp_path: Path) -> None:
    file = report(tmp_path, PASSED, PASSED, SKIPPED, ERROR, failed("AssertionError"))
    assert outcomes(file) == (2, ["tests.unit.test_a::test_breaks", "tests.unit.test_a::test_fails"])


def test_a_report_is_read_once_so_that_a_run_without_one_has_failed(tmp_path: Path) -> None:
    file = report(tmp_path, PASSED)
    outcomes(file)
    assert outcomes(file) == (0, ["pytest itself"])


@pytest.mark.parametrize(("result", "is_good"), [(GOOD, True), (FLAKY, True), (BAD, False), (EMPTY, False)])
def test_a_shard_is_good_when_something_passed_and_nothing_failed_twice(result: Result, is_good: bool) -> None:  # noqa: FBT001 - pytest passes it
    assert result.is_good is is_good
    assert result.line().startswith("ok " if is_good else "FAILED ")


def test_the_line_of_a_shard_tells_what_passed_only_when_run_again() -> None:
    assert "3 passed, 1 passed when run again, 0 failed" in FLAKY.line()
    assert "again" not in GOOD.line()


def test_a_good_shard_is_kept_for_its_state_of_the_tree_alone(tmp_path: Path) -> None:
    keep(tmp_path / "one", FLAKY)
    assert kept(tmp_path / "one", "outages") == FLAKY
    assert kept(tmp_path / "one", "deaths") is None
    assert kept(tmp_path / "another", "outages") is None


@pytest.mark.parametrize("result", [BAD, EMPTY])
def test_a_shard_that_is_not_good_runs_again(tmp_path: Path, result: Result) -> None:
    keep(tmp_path, GOOD)
    keep(tmp_path, result)
    assert kept(tmp_path, "outages") is None


def test_shards_take_turns_by_the_number_of_commits() -> None:
    numbers = range(40, 40 + len(SHARDS))
    assert sorted(due(str(number)) for number in numbers) == sorted(SHARDS)
    assert due("40") == due(str(40 + len(SHARDS)))
    assert due("0") == next(iter(SHARDS))


def test_the_state_of_a_tree_is_another_after_each_change_and_the_same_once_it_is_undone(tmp_path: Path) -> None:
    tree = repository(tmp_path, {"a.py": "1", ".gitignore": "*.log\n"})
    states = [state_of_tree(tree)]
    new = tree / "new.py"
    (tree / "a.py").write_text("2", encoding="utf-8")
    states.append(state_of_tree(tree))
    new.write_text("1", encoding="utf-8")
    states.append(state_of_tree(tree))
    new.write_text("2", encoding="utf-8")
    states.append(state_of_tree(tree))
    new.rename(tree / "renamed.py")
    states.append(state_of_tree(tree))
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message=Change")
    states.append(state_of_tree(tree))
    assert len(set(states)) == len(states)
    git(tree, "reset", "--quiet", "--hard", "HEAD~1")
    (tree / "ignored.log").write_text("1", encoding="utf-8")
    assert state_of_tree(tree) == states[0]
