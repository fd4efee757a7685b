"""The error of a command: what is wrong, and what the person at the terminal can do about it."""


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
