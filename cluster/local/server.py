"""What every server of a stack can do."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from cluster.local.process import ChildProcess


class Server(ABC):
    """One server as a child process; as a context manager it runs inside the block.

    Args:
        process: not started yet.
    """

    keeps_address = True
    """Whether the address is the same after a restart."""

    def __init__(self, process: ChildProcess) -> None:
        self.process = process

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def launch(self) -> None:
        """Start the process and return at once.

        Raises:
            CommandError: a program that it needs is missing.
        """
        self.process.start()

    @abstractmethod
    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            CommandError: it does not start.
        """

    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """Return the settings by which other processes find it; before `wait` only if `keeps_address`."""

    def start(self) -> None:
        """Start it and wait until it answers; raises as `launch` and `wait`."""
        self.launch()
        self.wait()

    def stop(self) -> None:
        """Stop it."""
        self.process.stop()

    def kill(self) -> None:
        """Kill it, as a crash would."""
        self.process.kill()

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()
