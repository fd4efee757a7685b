"""What `make test`, `make check`, `make soak` and `make mutants` run: `python -m tests.suite COMMAND --help`."""

import argparse
import signal
import sys

from cluster.signals import end_on_signals
from tests.suite import mutants, pytest_run, soak


def main() -> int:
    """Run a part of the suite.

    Returns:
        The exit code: 0 when every test passed, every mutant was noticed.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.suite", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, selection, text in (
        ("test", pytest_run.UNMARKED, "the tests of `make test`"),
        ("check", "not soak", "those, the short faults and one life of a stack"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=lambda _arguments, selection=selection: pytest_run.in_parallel(selection))
    soak.add_command(commands)
    mutants.add_command(commands)
    arguments = parser.parse_args()
    end_on_signals()
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))  # by way of what stops the servers
    code: int = arguments.run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
