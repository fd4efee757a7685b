"""`make soak`: what takes too long for every change, in shards that can be run one by one."""

import argparse
import hashlib
import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tests.servers import SHARED, shared_servers
from tests.suite.pytest_run import PROJECT, pytest
from tests.suite.shards import SHARDS

# Results of shards, by the state of the tree that they ran on.
RESULTS = PROJECT / ".cache" / "soak"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a shard.

    Args:
        passed: tests that passed at once.
        passed_again: tests that failed, and passed when they were run once more.
        failed: tests that failed twice.
        seconds: how long it took.
    """

    shard: str
    passed: int
    passed_again: Sequence[str]
    failed: Sequence[str]
    seconds: float

    @property
    def is_good(self) -> bool:
        return not self.failed and self.passed + len(self.passed_again) > 0

    def line(self) -> str:
        """One line of the report."""
        again = f", {len(self.passed_again)} passed when run again" if self.passed_again else ""
        state = "ok    " if self.is_good else "FAILED"
        return f"{state} {self.shard:<14}{self.seconds:6.0f} s  {self.passed} passed{again}, {len(self.failed)} failed"


def add_command(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add `soak` to the command line."""
    text = "Run the shards that have not passed on this state of the tree yet; --again runs all."
    command = commands.add_parser("soak", help=text, description=text)
    command.add_argument("shards", nargs="*", metavar="SHARD", help=f"one of {', '.join(SHARDS)}; all unless named")
    command.add_argument("--next", action="store_true", help="the one whose turn it is by the number of commits")
    command.add_argument("--again", action="store_true", help="also those that have passed on this state")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    for name in arguments.shards:
        if name not in SHARDS:
            raise SystemExit(f"there is no shard {name}; there are {', '.join(SHARDS)}")
    wanted = [due(_git("rev-list", "--count", "HEAD"))] if arguments.next else arguments.shards or list(SHARDS)
    folder = RESULTS / state_of_tree()
    results = []
    with shared_servers() as environment:
        for shard in wanted:
            result = None if arguments.again else kept(folder, shard)
            if result is None:
                print(f"\n=== soak {shard}: {SHARDS[shard]}", flush=True)
                result = run_shard(shard, environment)
                keep(folder, result)
            results.append(result)
    print("\n=== soak", *(result.line() for result in results), sep="\n")
    for result in results:
        for test in result.passed_again:
            print(f"passed only when run again: {test}")
    return 0 if all(result.is_good for result in results) else 1


def due(commits: str) -> str:
    """The shard that CI runs at a commit, by the number of commits before it."""
    return list(SHARDS)[int(commits) % len(SHARDS)]


def run_shard(shard: str, environment: Mapping[str, str]) -> Result:
    """Run a shard, and what failed once more by itself, in a pytest of its own."""
    began = time.monotonic()
    report = Path(environment[SHARED]) / f"{shard}.xml"
    selection = ["--shard", shard, "--durations", "10", f"--junitxml={report}"]
    pytest([*selection, "-o", f"cache_dir=.cache/pytest-{shard}"], environment)
    passed, failed = outcomes(report)
    failed_again: Sequence[str] = []
    if failed:
        print(f"\n=== soak {shard}: {len(failed)} failed; once more", flush=True)
        pytest([*selection, "-o", f"cache_dir=.cache/pytest-{shard}", "--last-failed"], environment)
        _, failed_again = outcomes(report)
    return Result(
        shard,
        passed,
        [test for test in failed if test not in failed_again],
        failed_again,
        round(time.monotonic() - began, 1),
    )


def outcomes(report: Path) -> tuple[int, Sequence[str]]:
    """How many tests passed and which failed, by a JUnit report; a run without one has failed as a whole."""
    if not report.exists():
        return 0, ["pytest itself"]
    passed, failed = 0, []
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{case.get('classname')}::{case.get('name')}")
        elif case.find("skipped") is None:
            passed += 1
    report.unlink()
    return passed, failed


def state_of_tree(tree: Path = PROJECT) -> str:
    """A name for the commit and what was changed since."""
    changed = _git("diff", "--binary", "HEAD", tree=tree)
    if new := _git("ls-files", "--others", "--exclude-standard", tree=tree).splitlines():
        changed += "\n".join([*new, _git("hash-object", *new, tree=tree)])
    mark = f"-{hashlib.sha256(changed.encode()).hexdigest()[:12]}" if changed else ""
    return _git("rev-parse", "HEAD", tree=tree)[:12] + mark


def keep(folder: Path, result: Result) -> None:
    """Remember what became of a shard."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{result.shard}.json").write_text(json.dumps(asdict(result)), encoding="utf-8")


def kept(folder: Path, shard: str) -> Result | None:
    """A shard that has passed on this state of the tree."""
    file = folder / f"{shard}.json"
    if not file.exists():
        return None
    result = Result(**json.loads(file.read_text(encoding="utf-8")))
    return result if result.is_good else None


def _git(*words: str, tree: Path = PROJECT) -> str:
    done = subprocess.run(["git", *words], cwd=tree, capture_output=True, text=True, check=True)
    return done.stdout.strip()
