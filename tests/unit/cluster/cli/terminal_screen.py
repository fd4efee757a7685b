"""A minimal terminal emulator: turns the output of a program into a picture of the screen."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
_TOKEN = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\r\n|\n|([^\x1b\r\n]+)|[\x1b\r]")
_FITMONITOR = Path(sys.executable).with_name("fitmonitor")
CELL = (8, 16)  # pixels


@dataclass(frozen=True)
class Theme:
    """A terminal's own colours: of what is not coloured, and the sixteen that themes choose."""

    text: Colour
    ground: Colour
    black: Colour = (0, 0, 0)
    white: Colour = (255, 255, 255)


DARK = Theme(text=(211, 215, 207), ground=(23, 20, 33))
LIGHT = Theme(text=(40, 40, 40), ground=(253, 246, 227))
SOLARIZED = Theme(text=(131, 148, 150), ground=(0, 43, 54), black=(7, 54, 66), white=(253, 246, 227))


@dataclass(frozen=True)
class Cell:
    """One place of the screen; no colour is the terminal's own."""

    letter: str
    text: int | None
    ground: int | None


def run_on_terminal(
    words: list[str],
    environment: Mapping[str, str],
    columns: int,
    lines: int,
    keys: tuple[bytes, bytes] | None = None,
) -> tuple[int, str]:
    """Run the command on a terminal of this size; its exit code and what it wrote.

    Args:
        keys: what is typed, once, when the other has been written: `(written, typed)`.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("FITMONITOR_")
        and name not in {"COLUMNS", "LINES", "NO_COLOR", "COLORTERM", "FORCE_COLOR"}
    }
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", _FITMONITOR, *words],  # so that Ctrl-C reaches it
        env=clean | dict(environment),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    try:
        while piece := os.read(ours, 65536):
            written += piece
            if keys and keys[0] in written:
                os.write(ours, keys[1])
                keys = None
    except OSError:  # how Linux says that nobody holds the other end any more
        pass
    os.close(ours)
    return process.wait(60), written.decode(errors="replace")


def screen_of(written: str, lines: int) -> list[list[Cell]]:
    """The cells that can be seen in the end: what was above has scrolled away."""
    rows: list[list[Cell]] = [[]]
    text: int | None = None
    ground: int | None = None
    for token in _TOKEN.finditer(written):
        if token[2] == "m":
            text, ground = _coloured(token[1], text, ground)
        elif token[3]:
            rows[-1].extend(Cell(letter, text, ground) for letter in token[3])
        elif token[0].endswith("\n"):
            rows.append([])
    return rows[-lines:]


def picture_of(screen: list[list[Cell]], theme: Theme) -> Image.Image:
    """The screen as its owner sees it."""
    width, height = CELL
    columns = max(80, *(len(row) for row in screen))
    picture = Image.new("RGB", (columns * width, len(screen) * height), theme.ground)
    pen = ImageDraw.Draw(picture)
    for y, row in enumerate(screen):
        for x, cell in enumerate(row):
            ground, text = _colour(cell.ground, theme, theme.ground), _colour(cell.text, theme, theme.text)
            left, top = x * width, y * height
            pen.rectangle((left, top, left + width - 1, top + height - 1), ground)
            if cell.letter in "▀█":
                pen.rectangle((left, top, left + width - 1, top + height // 2 - 1), text)
            if cell.letter in "▄█":
                pen.rectangle((left, top + height // 2, left + width - 1, top + height - 1), text)
            if cell.letter not in " ▀▄█":
                pen.text((left, top), cell.letter, text)
    return picture


def _coloured(parameters: str, text: int | None, ground: int | None) -> tuple[int | None, int | None]:
    """What `ESC [ … m` makes of the colours (ECMA-48 8.3.117, and xterm's 256)."""
    codes = [int(code or 0) for code in parameters.split(";")]
    while codes:
        code = codes.pop(0)
        if code in {38, 48}:
            assert codes.pop(0) == 5, "not every terminal knows more than 256 colours"
            number = codes.pop(0)
            text, ground = (number, ground) if code == 38 else (text, number)
        elif code == 0:
            text = ground = None
        elif 30 <= code <= 37:
            text = code - 30
        elif 90 <= code <= 97:
            text = code - 90 + 8
        elif 40 <= code <= 47:
            ground = code - 40
        elif 100 <= code <= 107:
            ground = code - 100 + 8
    return text, ground


def _colour(number: int | None, theme: Theme, own: Colour) -> Colour:
    known = {0: theme.black, 15: theme.white, 16: (0, 0, 0), 231: (255, 255, 255)}
    return own if number is None else known[number]
