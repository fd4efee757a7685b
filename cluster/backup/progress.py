"""What the person at the terminal sees while a backup is written or read."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cluster.backup.reader import Told


@contextmanager
def shown(what: str, total: int | None = None) -> Iterator[Told]:
    """Show how many rows and files are done, on standard error; nothing where that is no terminal.

    Args:
        what: is under way.
        total: how many there will be, where it is known.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)

        def told(part: str, number: int) -> None:
            progress.update(task, advance=number, description=f"{what}: {part}")

        yield told
