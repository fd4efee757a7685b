"""A pass drawn in a terminal can be read by a phone's camera."""

from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image, ImageFilter, ImageOps

from domain.door.model import PassStatus
from integrations.pass_keys import PassVerifier
from integrations.rendering import pass_images
from tests.pass_photographs import bad_photograph
from tests.unit.cluster.cli.data_folder import MEMBER, Stack, clean_environment
from tests.unit.cluster.cli.forked_command import at_a_terminal
from tests.unit.cluster.cli.terminal_screen import DARK, LIGHT, SOLARIZED, Cell, picture_of, run_on_terminal, screen_of

COLUMNS, LINES = 80, 36
MODULES = 65
_THEMES = [DARK, LIGHT, SOLARIZED]
_QR = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with clean_environment():
        stack = Stack(tmp_path_factory.mktemp("stack"), {})
        stack.fill()
        yield stack


def shown(stack: Stack, environment: dict[str, str], columns: int = COLUMNS, lines: int = LINES) -> tuple[int, str]:
    usual = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    return at_a_terminal(
        ["pass", "show", MEMBER], usual | stack.environment | environment, columns=columns, lines=lines
    )


def screen(stack: Stack, **environment: str) -> list[list[Cell]]:
    code, written = shown(stack, environment)
    assert code == 0, written
    return screen_of(written, LINES)


def photographed(picture: Image.Image) -> Image.Image:
    """Held at an angle in a room, a little out of focus, stretched as a terminal with tall cells does."""
    picture = picture.resize((picture.width, round(picture.height * 1.12)), Image.Resampling.BILINEAR)
    file = BytesIO()
    picture.save(file, "PNG")
    worse = bad_photograph(file.getvalue(), rotation=7, perspective=0.1, blur=1.2, noise=8, shadow=0.3, jpeg_quality=60)
    return Image.open(BytesIO(worse))


def read(picture: Image.Image) -> str:
    """As a strict scanner reads it: dark on light alone, not turned inside out."""
    found = zxingcpp.read_barcodes(picture, formats=_QR, try_invert=False)
    assert len(found) == 1
    return found[0].text


def assert_is_good(stack: Stack, code: str, at: datetime) -> None:
    assert stack.settings.passes.key_dir is not None
    reading = PassVerifier(stack.settings.passes.key_dir).read(code, at)
    assert (reading.status, reading.member_id) == (PassStatus.VALID, stack.ids[MEMBER])


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NO_COLOR": "1"},
        {"COLORTERM": "truecolor"},
        {"TERM": "xterm"},  # sixteen colours
        {"TERM": "linux"},
    ],
    ids=["256 colours", "NO_COLOR", "true colour", "16 colours", "console"],
)
def test_a_camera_reads_the_pass_on_dark_and_on_light_terminals(stack: Stack, environment: dict[str, str]) -> None:
    seen, shown_at = screen(stack, **environment), datetime.now(UTC)
    for theme in _THEMES:
        assert_is_good(stack, read(photographed(picture_of(seen, theme))), shown_at)


def test_a_camera_reads_a_pass_with_gaps_between_lines(stack: Stack) -> None:
    """Terminals with more than one line's height between two lines fill the gap with the ground's colour alone."""
    seen, shown_at = screen(stack), datetime.now(UTC)
    for theme in _THEMES:
        picture = picture_of(seen, theme)
        gaps = Image.new("RGB", (picture.width, 20 * len(seen)))
        for number in range(len(seen)):
            line = picture.crop((0, 16 * number, picture.width, 16 * number + 16))
            gaps.paste(line, (0, 20 * number))
            gaps.paste(line.crop((0, 15, line.width, 16)).resize((line.width, 4)), (0, 20 * number + 16))
        assert_is_good(stack, read(gaps.filter(ImageFilter.GaussianBlur(1))), shown_at)


def test_its_quiet_zone_is_white_on_every_side(stack: Stack) -> None:
    seen = screen(stack, NO_COLOR="1")
    picture = ImageOps.grayscale(picture_of(seen, DARK)).crop((0, 0, MODULES * 8, MODULES * 8))
    wide = pass_images.QUIET_ZONE * 8
    for side in (
        (0, 0, picture.width, wide),
        (0, picture.height - wide, picture.width, picture.height),
        (0, 0, wide, picture.height),
        (picture.width - wide, 0, picture.width, picture.height),
    ):
        assert picture.crop(side).getextrema() == (255, 255)


def test_later_output_is_not_coloured(stack: Stack) -> None:
    last = screen(stack)[MODULES // 2 + 1]
    assert "".join(cell.letter for cell in last).startswith("Good until ")
    assert {(cell.text, cell.ground) for cell in last} == {(None, None)}


@pytest.mark.parametrize(
    ("columns", "lines", "environment", "why"),
    [
        (64, LINES, {}, "too narrow"),
        (COLUMNS, 24, {}, "too low"),
        (COLUMNS, LINES, {"TERM": "dumb"}, "no colours"),
    ],
)
def test_a_terminal_that_cannot_show_the_whole_pass_is_refused_with_a_hint(
    stack: Stack, columns: int, lines: int, environment: dict[str, str], why: str
) -> None:
    assert_shows_the_way_out(*shown(stack, environment, columns, lines), why)


def test_a_terminal_without_utf8_is_refused_with_a_hint(stack: Stack) -> None:
    """Python chooses the encoding at its start."""
    usual = {"TERM": "xterm-256color", "PYTHONIOENCODING": "iso-8859-1"} | stack.environment
    done = run_on_terminal(["pass", "show", MEMBER], usual, columns=COLUMNS, lines=LINES)
    assert_shows_the_way_out(*done, "encoding iso8859-1")


def assert_shows_the_way_out(code: int, written: str, why: str) -> None:
    assert code == 1
    assert why in written
    assert "--png FILE" in written
    assert len(written.strip().splitlines()) == 1
    assert not set("▀▄█") & set(written)


def test_the_hint_to_write_a_png_works(stack: Stack, tmp_path: Path) -> None:
    usual = stack.environment | {"TERM": "dumb"}
    file = tmp_path / "pass.png"
    code, written = at_a_terminal(["pass", "show", MEMBER, "--png", str(file)], usual, columns=20, lines=10)
    assert (code, written) == (0, "")
    assert_is_good(stack, read(Image.open(file)), datetime.now(UTC))


def test_a_light_code_on_dark_would_not_be_read() -> None:
    """That these tests can fail: drawn in the terminal's own colours, as NO_COLOR would have it."""
    plain = [[Cell(letter, None, None) for letter in line] for line in pass_images.half_blocks("x" * 190).split("\n")]
    assert zxingcpp.read_barcodes(picture_of(plain, DARK), formats=_QR, try_invert=False) == []
