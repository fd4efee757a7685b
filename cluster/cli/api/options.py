"""What the groups of commands that call the API share: `--as`, options of the same meaning, the confirmation."""

import os
import sys
from typing import Annotated

import typer

from cluster.cli.api.connection import AS
from cluster.cli.api.errors import UsageError

AsJson = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Maximum number of results (default: all).", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
Key = Annotated[
    str,
    typer.Option(
        metavar="KEY",
        help="Repeat an earlier run whose answer was lost: the key from its error message. It is done once.",
        show_default=False,
    ),
]
Version = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Change it only if it still has this version, as `show` prints it (default: the current version).",
        show_default=False,
    ),
]
GymArgument = Annotated[str, typer.Argument(metavar="GYM", help="The gym's id, number or name.", show_default=False)]
MemberArgument = Annotated[
    str,
    typer.Argument(
        metavar="MEMBER", help="The user's email address or id, or a name that is unique.", show_default=False
    ),
]
Retired = Annotated[bool, typer.Option("--retired", help="List retired ones instead.")]


def command_group(about: str) -> typer.Typer:
    """A group of commands with the option `--as`.

    Args:
        about: the help of the group.
    """
    app = typer.Typer(no_args_is_help=True)
    app.callback(help=about)(_act_as)
    return app


def confirm(action: str, *, yes: bool) -> None:
    """Ask before something is destroyed or money moves.

    Args:
        action: what the command does, as `delete the gym Riverside`.
        yes: whether `--yes` has answered already.

    Raises:
        UsageError: standard input is not a terminal, so nobody can answer.
        typer.Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"this would {action}", "standard input is no terminal to confirm on, so add --yes")
    typer.confirm(f"This will {action}. Continue?", abort=True, err=True)


def _act_as(
    email: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="EMAIL",
            envvar=AS,
            help="The user to act as, on a stack of this machine (default: its first admin).",
        ),
    ] = "",
) -> None:
    if email:
        os.environ[AS] = email
