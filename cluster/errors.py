"""The error of a command, and the exit codes of all commands."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of `fitmonitor` (docs/commands.md)."""

    FAILURE = 1
    WRONG_USAGE = 2
    ATTENTION = 3  # the command worked, and found something that needs attention
    NOT_FOUND = 4  # what was named does not exist
    NO_ANSWER = 4
    INTERRUPTED = 130


class CommandError(Exception):
    """An error that the person at the terminal can resolve.

    Args:
        message: what is wrong, in one line.
        hint: what to do or run, in one line; empty where nothing helps.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message
