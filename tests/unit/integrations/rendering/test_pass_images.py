from io import BytesIO
from xml.etree import ElementTree as ET

import pytest
import zxingcpp
from PIL import Image

from integrations.rendering.pass_images import half_blocks, modules, png, svg
from tests.pass_photographs import bad_photograph

CODE = "eyJhbGciOiJFZERTQSIsImtpZCI6IjY3NTNhMWYwIn0." + "aB3-_" * 13 + "A." + "xY9_-" * 17 + "A"


def read(picture: bytes) -> str | None:
    found = zxingcpp.read_barcode(
        Image.open(BytesIO(picture)), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    )
    return found.text if found else None


@pytest.mark.parametrize("pixels", [130, 300, 650, 1024])
def test_a_picture_has_the_width_that_was_asked_for_and_is_read(pixels: int) -> None:
    picture = png(CODE, pixels)
    assert Image.open(BytesIO(picture)).size == (pixels, pixels)
    assert read(picture) == CODE


def test_a_picture_too_small_for_its_modules_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 65 pixels"):
        png(CODE, 64)


def test_the_same_code_gives_the_same_bytes() -> None:
    assert png(CODE) == png(CODE)
    assert svg(CODE) == svg(CODE)


def test_a_picture_is_small_enough_for_a_slow_phone() -> None:
    assert len(png(CODE)) < 4096
    assert len(svg(CODE)) < 32768


def test_four_modules_around_the_code_are_white() -> None:
    rows = modules(CODE)
    edge = [*rows[:4], *rows[-4:], *(row[:4] + row[-4:] for row in rows)]
    assert not any(module for row in edge for module in row)
    assert rows[4][4]


def test_the_svg_is_well_formed_and_draws_every_dark_module_once() -> None:
    document = ET.fromstring(svg(CODE))  # noqa: S314 - our own
    path = list(document)[1].attrib["d"]
    runs = [run.split("h")[1].split("v")[0] for run in path.split("M")[1:]]
    assert sum(int(run) for run in runs) == sum(module for row in modules(CODE) for module in row)


def test_the_terminal_shows_the_code_itself() -> None:
    scale = 8
    lines = half_blocks(CODE).split("\n")
    picture = Image.new("L", (len(lines[0]) * scale, len(lines) * 2 * scale), 255)
    for y, line in enumerate(lines):
        for x, character in enumerate(line):
            for half, dark in enumerate((character in "▀█", character in "▄█")):
                if dark:
                    top = (2 * y + half) * scale
                    picture.paste(0, (x * scale, top, (x + 1) * scale, top + scale))
    file = BytesIO()
    picture.save(file, "PNG")
    assert read(file.getvalue()) == CODE


@pytest.mark.parametrize("spoilt", [
    {"rotation": 30},
    {"rotation": 197, "jpeg_quality": 40},
    {"perspective": 0.25, "jpeg_quality": 60},
    {"blur": 3, "noise": 12},
    {"shadow": 0.7, "noise": 8, "jpeg_quality": 50},
    {"rotation": 12, "perspective": 0.15, "blur": 1.5, "noise": 10, "shadow": 0.4, "jpeg_quality": 35},
])  # fmt: skip
def test_a_bad_photograph_is_still_read(spoilt: dict[str, float]) -> None:
    assert read(bad_photograph(png(CODE), **spoilt)) == CODE  # type: ignore[arg-type]  # quality is whole
