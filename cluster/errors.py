"""What a command says when it cannot go on."""


class CommandError(Exception):
    """Something that the person at the terminal can mend.

    Args:
        message: what is wrong, in one line.
        mend: what to do or run about it, in one line; empty where nothing can be done.
    """

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message, mend)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message}: {self.mend}" if self.mend else self.message
