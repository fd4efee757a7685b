"""Ask before something is destroyed, or money moves."""

import sys

import typer

from cluster.cli.api.errors import WrongUseError


def ask_first(what: str, *, yes: bool) -> None:
    """Go on only if somebody wants it.

    Args:
        what: is done, as in `delete the gym Riverside`.
        yes: they said so already.

    Raises:
        WrongUseError: nobody is there to be asked.
        typer.Abort: they do not want it.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUseError(f"this would {what}", "add --yes where nobody can be asked")
    typer.confirm(f"This will {what}. Go on?", abort=True, err=True)
