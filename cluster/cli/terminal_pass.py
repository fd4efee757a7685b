"""Draws a pass in a terminal so that a phone's camera can read it, whatever the terminal's own colours are."""

from collections.abc import Iterator
from itertools import groupby

from rich.console import Console
from rich.style import Style
from rich.text import Text

from cluster.errors import CommandError
from integrations.rendering import pass_images

_USE_PNG = "write a picture with --png FILE"
_LINES_BELOW = 2  # the validity, and the next prompt
# Colours 16 to 255 of the 256 look the same in every theme, unlike the first sixteen; few terminals know more colours.
_BLACK, _WHITE = "color(16)", "color(231)"
_UPPER_HALF = "▀"


def show(code: str, console: Console | None = None) -> Console:
    """Draw the QR code of a pass with its quiet zone, two rows of modules in each line.

    The code is drawn in colours despite NO_COLOR, because the colours are the picture. Output that is not a terminal
    gets none, because nobody knows what will display it.

    Returns:
        The console, for further lines below.

    Raises:
        CommandError: the terminal cannot show the whole code.
    """
    console = console or Console(highlight=False, no_color=False)
    lines = draw(code) if console.is_terminal else [Text(line) for line in pass_images.half_blocks(code).split("\n")]
    _check_terminal(console, width=len(lines[0]), height=len(lines) + _LINES_BELOW)
    for line in lines:
        console.print(line, no_wrap=True)
    return console


def draw(code: str) -> list[Text]:
    """The lines. Two equal modules are drawn by the background, which has no gaps in any font."""
    rows = pass_images.modules(code)
    rows += [[False] * len(rows)] * (len(rows) % 2)
    return [Text.assemble(*_cells(*pair)) for pair in zip(rows[::2], rows[1::2], strict=True)]


def _cells(upper: list[bool], lower: list[bool]) -> Iterator[tuple[str, Style]]:
    for (above, below), run in groupby(zip(upper, lower, strict=True)):
        colours = Style(color=_BLACK if above else _WHITE, bgcolor=_BLACK if below else _WHITE)
        yield (" " if above == below else _UPPER_HALF) * len(list(run)), colours


def _check_terminal(console: Console, width: int, height: int) -> None:
    if not console.encoding.startswith("utf"):
        raise CommandError(
            f"this terminal's encoding {console.encoding} has no characters to draw the code",
            f"set LC_ALL=C.UTF-8 if the terminal supports UTF-8, or {_USE_PNG}",
        )
    if console.width < width:
        raise CommandError(
            f"the terminal is too narrow for the code: {console.width} columns of {width}",
            f"make it wider, or {_USE_PNG}",
        )
    if not console.is_terminal:
        return
    if console.color_system is None:
        raise CommandError("this terminal shows no colours, and no camera reads the code without them", _USE_PNG)
    if console.height < height:
        raise CommandError(
            f"the terminal is too low for the code: {console.height} lines of {height}",
            f"make it higher or the font smaller, or {_USE_PNG}",
        )
