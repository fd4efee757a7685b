"""A defect that cannot be put into the code any more, or whose tests are gone, is found here in a moment."""

import ast
from pathlib import Path

import pytest

from tests.suite.mutations import MUTATIONS, Mutation
from tests.suite.pytest_run import PROJECT

each = pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def marks(module: ast.Module, test: str) -> str | None:
    """What is written at a test and for all of its module; None: there is no such test."""
    written = [
        ast.unparse(statement.value)
        for statement in module.body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "pytestmark"
    ]
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == test:
            return " ".join([*written, *map(ast.unparse, statement.decorator_list)])
    return None


def test_there_are_twelve() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) == 12


@each
def test_each_text_stands_once_in_its_file_and_what_replaces_it_is_other_code(mutation: Mutation) -> None:
    text = (PROJECT / mutation.file).read_text(encoding="utf-8")
    assert not mutation.file.startswith("tests/")
    assert ast.dump(ast.parse(mutation.applied_to(text))) != ast.dump(ast.parse(text))


@each
def test_each_defect_has_tests_and_make_test_runs_them(mutation: Mutation) -> None:
    assert mutation.tests
    for test in mutation.tests:
        file, _, name = test.partition("::")
        written = marks(parsed(PROJECT / file), name)
        assert written is not None, f"{test} is gone"
        assert "mark.check" not in written, test
        assert "mark.soak" not in written, test


def test_a_text_that_is_gone_or_there_twice_is_no_mutant() -> None:
    mutation = Mutation("x", "", "x.py", [("a", "b")], [])
    assert mutation.applied_to("a = 1") == "b = 1"
    for text in ("c = 1", "a = a"):
        with pytest.raises(ValueError, match=r"x\.py has this text"):
            mutation.applied_to(text)
