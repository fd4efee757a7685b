"""What the groups of commands that ask the API have in common: as whom, and options of the same meaning."""

import os
from typing import Annotated

import typer

from cluster.cli.api.connection import AS

AsJson = Annotated[bool, typer.Option("--json", help="As the API answers it.")]
Limit = Annotated[int | None, typer.Option(min=1, help="So many at most; all without it.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
Key = Annotated[
    str,
    typer.Option(
        metavar="KEY",
        help="Repeat an earlier run whose answer was lost, with the key that it told: it is done once.",
        show_default=False,
    ),
]
Version = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Only if this is still its version, as `show` tells it; else the one that the command reads itself.",
        show_default=False,
    ),
]
GymArgument = Annotated[str, typer.Argument(metavar="GYM", help="The gym's id, number or name.", show_default=False)]
MemberArgument = Annotated[
    str, typer.Argument(metavar="MEMBER", help="Mail address, id, or a name that nobody else has.", show_default=False)
]
Retired = Annotated[bool, typer.Option("--retired", help="Those that were retired.")]


def group(about: str) -> typer.Typer:
    """A group of commands.

    Args:
        about: its help.
    """
    app = typer.Typer(no_args_is_help=True)
    app.callback(help=about)(_acting)
    return app


def _acting(
    email: Annotated[
        str,
        typer.Option(
            "--as", metavar="EMAIL", envvar=AS, help="Who does it, at a stack of this machine; an admin without it."
        ),
    ] = "",
) -> None:
    if email:
        os.environ[AS] = email
