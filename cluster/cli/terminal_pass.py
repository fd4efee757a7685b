"""A pass drawn in a terminal so that a phone's camera reads it, whatever the terminal's own colours."""

from collections.abc import Iterator
from itertools import groupby

from rich.console import Console
from rich.style import Style
from rich.text import Text

from cluster.errors import CommandError
from integrations.rendering import pass_images

_TO_FILE = "write a picture with --png FILE"
_BELOW = 2  # lines: how long the code is good, and the next prompt
# Two of the 256 colours that no theme changes, unlike the first sixteen; fewer terminals know more colours than those.
_DARK, _LIGHT = "color(16)", "color(231)"
_UPPER = "▀"


def show(code: str, console: Console | None = None) -> Console:
    """Draw a code, two rows of modules in each line, with its quiet zone.

    The colours are the picture: NO_COLOR, which is about decoration, leaves them. Where the output goes to no terminal
    it has none, for nobody knows what it will be shown on.

    Returns:
        The console, to say more below.

    Raises:
        CommandError: the terminal cannot show all of it.
    """
    console = console or Console(highlight=False, no_color=False)
    lines = drawing(code) if console.is_terminal else [Text(line) for line in pass_images.half_blocks(code).split("\n")]
    _refuse_what_cannot_be_read(console, width=len(lines[0]), height=len(lines) + _BELOW)
    for line in lines:
        console.print(line, no_wrap=True)
    return console


def drawing(code: str) -> list[Text]:
    """The lines. Where two modules are alike the background draws them: it has no gaps, whatever the font."""
    rows = pass_images.modules(code)
    rows += [[False] * len(rows)] * (len(rows) % 2)
    return [Text.assemble(*_cells(*pair)) for pair in zip(rows[::2], rows[1::2], strict=True)]


def _cells(upper: list[bool], lower: list[bool]) -> Iterator[tuple[str, Style]]:
    for (above, below), run in groupby(zip(upper, lower, strict=True)):
        colours = Style(color=_DARK if above else _LIGHT, bgcolor=_DARK if below else _LIGHT)
        yield (" " if above == below else _UPPER) * len(list(run)), colours


def _refuse_what_cannot_be_read(console: Console, width: int, height: int) -> None:
    if not console.encoding.startswith("utf"):
        raise CommandError(
            f"this terminal speaks {console.encoding}, in which the code cannot be drawn",
            f"set LC_ALL=C.UTF-8 where the terminal speaks UTF-8, or {_TO_FILE}",
        )
    if console.width < width:
        raise CommandError(
            f"the terminal is too narrow for the code: {console.width} columns of {width}", f"widen it, or {_TO_FILE}"
        )
    if not console.is_terminal:
        return
    if console.color_system is None:
        raise CommandError("this terminal shows no colours, without which no camera reads the code", _TO_FILE)
    if console.height < height:
        raise CommandError(
            f"the terminal is too low for the code: {console.height} lines of {height}",
            f"make it higher or its letters smaller, or {_TO_FILE}",
        )
