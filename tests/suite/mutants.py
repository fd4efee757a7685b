"""`make mutants`: deliberate defects of the product, one at a time; a defect that no test notices fails the command."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tests.servers import SHARED, shared_servers
from tests.suite.mutations import MUTATIONS, Mutation
from tests.suite.pytest_run import PROJECT, UNMARKED, pytest

_PACKAGES = ("cluster", "consumers", "deployments", "domain", "integrations", "lambdas", "tests")
_WIDEST = 120
_NOTHING_FAILED, _SOME_FAILED = 0, 1  # exit codes of pytest
_TIMED_OUT = "Failed: Timeout"  # how pytest-timeout words it
_NAMES = {mutation.name: mutation for mutation in MUTATIONS}


class State(Enum):
    """What became of tests."""

    PASSED = auto()
    FAILED = auto()
    BROKEN = auto()  # none was run to its end, or one hung


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run of tests says of the tree that it ran on.

    Args:
        why: how the first failure is worded.
    """

    state: State
    why: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant.

    Args:
        noticed_by: the test that failed; None: no test did.
        seconds: from its first test to the one that noticed it.
        why: what that test said, or why the tests say nothing.
    """

    mutation: Mutation
    noticed_by: str | None
    seconds: float
    why: str

    def lines(self) -> str:
        """Its part of the report."""
        state = "ok    " if self.noticed_by else "MISSED"
        first = f"{state} {self.mutation.name:<22}{self.seconds:5.1f} s  {self.noticed_by or self.mutation.defect}"
        return f"{first}\n{'':<38}{self.why[:_WIDEST]}"


def add_command(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add `mutants` to the command line."""
    text = "Put one defect at a time into a copy of the tree; each must make a test fail there."
    command = commands.add_parser("mutants", help=text, description=text)
    command.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(_NAMES)}; all unless named")
    command.add_argument("--list", action="store_true", help="list the defects and run nothing")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    for name in arguments.names:
        if name not in _NAMES:
            raise SystemExit(f"there is no mutant {name}; there are {', '.join(_NAMES)}")
    chosen = [_NAMES[name] for name in arguments.names] or MUTATIONS
    if arguments.list:
        print(*(f"{mutation.name:<22}{mutation.file}: {mutation.defect}" for mutation in chosen), sep="\n")
        return 0
    with shared_servers() as environment:
        runs = Runs(environment)
        print("=== mutants: the same tests without a defect", flush=True)
        original = runs.copied(PROJECT, "original", files_of(PROJECT))
        wanted = list(dict.fromkeys(test for mutation in chosen for test in mutation.tests))
        if runs.judged(original, wanted).state is not State.PASSED:
            print(runs.output(), "=== mutants: the tests do not pass without a defect", sep="\n")
            return 1
        results = []
        for mutation in chosen:
            results.append(runs.result(original, mutation))
            print(results[-1].lines(), flush=True)
    noticed = sum(result.noticed_by is not None for result in results)
    seconds = sum(result.seconds for result in results)
    print(f"=== mutants: {noticed} of {len(results)} noticed in {seconds:.0f} s")
    return 0 if noticed == len(results) else 1


class Runs:
    """Runs tests in copies of the tree.

    Args:
        environment: of running servers; their folder holds the copies.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._folder = Path(environment[SHARED])
        self._report = self._folder / "mutants.xml"
        self._output = self._folder / "mutants.log"

    def copied(self, tree: Path, name: str, files: Sequence[Path]) -> Path:
        """A copy of files of a tree, whose code the tests there import."""
        copy = self._folder / name
        for file in files:
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(tree / file, copy / file, follow_symlinks=False)
        self._assert_imported_from(copy)
        return copy

    def result(self, original: Path, mutation: Mutation) -> Result:
        """Put a defect into a copy and run its tests there until one fails."""
        files = [file.relative_to(original) for file in original.rglob("*") if file.is_file()]
        copy = self.copied(original, mutation.name, files)
        defective = copy / mutation.file
        defective.write_text(mutation.applied_to(defective.read_text(encoding="utf-8")), encoding="utf-8")
        began = time.monotonic()
        try:
            for test in mutation.tests:
                verdict = self.judged(copy, [test])
                if verdict.state is State.FAILED:
                    return Result(mutation, test, time.monotonic() - began, verdict.why)
                print(self.output())
                if verdict.state is State.BROKEN:
                    return Result(mutation, None, time.monotonic() - began, f"broken, not failed: {test}")
            return Result(mutation, None, time.monotonic() - began, "every test passed")
        finally:
            shutil.rmtree(copy)

    def judged(self, tree: Path, tests: Sequence[str]) -> Verdict:
        """Run tests in a copy."""
        self._report.unlink(missing_ok=True)
        options = ["-x", "-m", UNMARKED, "-p", "no:cacheprovider", f"--junitxml={self._report}", *tests]
        with self._output.open("w", encoding="utf-8") as output:
            code = pytest(options, self._environment_of(tree), tree, output)
        return verdict_of(code, self._report)

    def output(self) -> str:
        """What pytest said in the last run."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    def _environment_of(self, tree: Path) -> dict[str, str]:
        # A mutation may keep a file's size and second of change, by which Python knows its compiled form.
        return {**self._environment, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}

    def _assert_imported_from(self, copy: Path) -> None:
        """Processes that tests start find the copy by the environment alone, wherever they are started."""
        names = ", ".join(_PACKAGES)
        program = f"import json, {names}\nprint(json.dumps([module.__file__ for module in ({names})]))"
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd="/",
            env={**os.environ, **self._environment_of(copy)},
            capture_output=True,
            text=True,
            check=True,
        )
        wrong = [file for file in json.loads(done.stdout) if not Path(file).is_relative_to(copy)]
        assert not wrong, f"imported from elsewhere than {copy}: {wrong}"


def files_of(tree: Path) -> list[Path]:
    """What belongs to a tree as it is now: the files that git tracks, and new ones that it does not ignore."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(words, cwd=tree, capture_output=True, text=True, check=True)
    names = sorted(set(done.stdout.split("\0")) - {""})
    return [Path(name) for name in names if (tree / name).is_file()]  # some were removed since the last commit


def verdict_of(code: int, report: Path) -> Verdict:
    """What a run says, by pytest's exit code and its JUnit report.

    A test that could not be collected or set up, or that ran into its time limit, says nothing of the rule.
    """
    if not report.exists():
        return Verdict(State.BROKEN)
    cases = list(ET.parse(report).iter("testcase"))  # noqa: S314 - pytest wrote it
    failures = [failure.get("message", "") for case in cases for failure in case.iter("failure")]
    if code == _NOTHING_FAILED and any(case.find("skipped") is None for case in cases):
        return Verdict(State.PASSED)
    if code == _SOME_FAILED and failures and not failures[0].startswith(_TIMED_OUT):
        return Verdict(State.FAILED, failures[0].partition("\n")[0])
    return Verdict(State.BROKEN)
