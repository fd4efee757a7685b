"""Commands of the documents that the test of the documents cannot run, and who runs each instead.

Such a command stands on a line of its own in an `sh` block. One that no document has any more fails the test, and so
does one whose test is not there.
"""

from collections.abc import Mapping
from pathlib import Path

from tests.documented.pages import PROJECT

BY_HAND = "by hand"  # measures this machine, or runs all tests: nothing that a test could start

_LIFE = "tests/integration/cluster/test_life_of_a_stack.py"
_ATTENDANCE = "tests/unit/cluster/cli/test_forecast_commands.py"
_COMMANDS = "tests/unit/cluster/cli/test_command_line.py"

# The command as it stands -> `file::test` that does the same; or BY_HAND, and the target or module is there.
ELSEWHERE: Mapping[str, str] = {
    # README
    "make run": f"{_LIFE}::test_a_stack_leaves_no_process_and_keeps_its_data_however_it_ends",
    "make test": BY_HAND,
    "make check": BY_HAND,
    "make bench": BY_HAND,
    "make docs": "tests/unit/cluster/docs_site/test_site.py::test_the_site_is_built_without_a_network",
    "fitmonitor doctor --profile full": f"{_COMMANDS}::test_doctor_says_what_is_missing_and_how_to_fix_it",
    "fitmonitor up --profile full --demo": "tests/faults/test_killed_stack.py"
    "::test_no_acknowledged_scan_is_lost_however_the_stack_ends",
    # docs/rush.md; its other rush is played there
    "fitmonitor demo rush": "tests/e2e/test_rush.py::test_every_invariant_holds_after_a_small_rush",
    "fitmonitor up --demo": f"{_LIFE}::test_a_stack_leaves_no_process_and_keeps_its_data_however_it_ends",
    # docs/backup.md
    "FITMONITOR_DATA_DIR=.restored fitmonitor up": "tests/integration/cluster/test_backup.py"
    "::test_a_backup_of_a_stack_in_use_is_restored_into_another_folder",
    # docs/attendance.md, docs/benchmarks.md
    "fitmonitor attendance forecast --history occupancy.parquet --at 2026-04-01T00:00 --hours 168 --json": (
        f"{_ATTENDANCE}::test_a_forecast_is_printed_as_json"
    ),
    "fitmonitor attendance backtest --history occupancy.parquet --since 2026-01-05": f"{_ATTENDANCE}"
    "::test_a_backtest_from_a_day_on_is_printed",
    "fitmonitor attendance backtest --history occupancy.parquet": f"{_ATTENDANCE}::test_a_backtest_is_printed_as_json",
    # docs/accounts.md
    "make lambdas": "tests/unit/cluster/lambda_zips/test_zips.py::test_there_is_a_file_of_each_function",
    # docs/benchmarks.md
    'make bench BENCH_ARGS="--seconds 6 --json bench.json"': BY_HAND,
    'make bench-large BENCH_ARGS="--scanned-visits 3000000 --seconds 6 --json large.json"': BY_HAND,
    "python -m tests.benchmarks.token_verification": BY_HAND,
    "python -m tests.benchmarks.authenticated_get": BY_HAND,
    "python -m tests.benchmarks.list_users": BY_HAND,
    "python -m tests.benchmarks.image_rates": BY_HAND,
    "python -m tests.benchmarks.payments": BY_HAND,
    "python -m tests.benchmarks.attendance": BY_HAND,
    "python -m tests.benchmarks.attendance 300000 40 40": BY_HAND,
    "python -m tests.benchmarks.backups": BY_HAND,
    "python -m tests.benchmarks.live_streams 1000 30": BY_HAND,
    # docs/testing.md
    'make test TEST_ARGS="tests/unit/domain/door -k capacity"': BY_HAND,
    "python -m pytest tests/integration/domain/door/test_door.py -k sqlite": BY_HAND,
    "make soak": BY_HAND,
    'make soak SOAK_ARGS="outages"': BY_HAND,
    'make soak SOAK_ARGS="--again"': BY_HAND,
    "make mutants": BY_HAND,
    'make mutants MUTANTS_ARGS="--list"': BY_HAND,
    'make mutants MUTANTS_ARGS="no-lock code-twice"': BY_HAND,
    # docs/reliability.md
    "python -m pytest tests/faults/full_stack tests/faults/test_killed_stack.py -rP": BY_HAND,
    "python -m pytest tests/faults/full_stack/test_unavailable_services.py -rP": BY_HAND,
}


def is_shown(command: str, by: str) -> bool:
    """Whether the one who is said to run a command is there."""
    if by == BY_HAND:
        return _is_target(command) or _is_module(command)
    file, _, test = by.partition("::")
    path = PROJECT / file
    return path.is_file() and f"def {test}(" in path.read_text(encoding="utf-8")


def _is_target(command: str) -> bool:
    words = command.split()
    return words[0] == "make" and f"\n{words[1]}:" in (PROJECT / "Makefile").read_text(encoding="utf-8")


def _is_module(command: str) -> bool:
    words = command.split()
    if words[:2] != ["python", "-m"]:
        return False
    if words[2] == "pytest":
        files = words[3 : words.index("-k")] if "-k" in words else words[3:]
        return all((PROJECT / word).exists() for word in files if not word.startswith("-"))
    return (PROJECT / Path(*words[2].split("."))).with_suffix(".py").is_file()
