"""The progress of a backup or restore, shown on the terminal."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressDisplay

Progress = Callable[[str, int], None]
"""Called with the name of the current table or file, and the number of rows or files done since the last call."""

ProgressBar = Callable[[str, int], AbstractContextManager[Progress]]
"""Shows a step and its total number of rows and files."""


@contextmanager
def progress_bar(step: str, total: int | None = None) -> Iterator[Progress]:
    """Show the number of rows and files done on standard error; nothing where that is not a terminal.

    Args:
        step: the name of what is running.
        total: number of rows and files, where it is known.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with ProgressDisplay(*columns, console=console, transient=True, disable=not console.is_terminal) as display:
        task = display.add_task(step, total=total)

        def progress(part: str, number: int) -> None:
            display.update(task, advance=number, description=f"{step}: {part}")

        yield progress
