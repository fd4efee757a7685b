from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cluster.cli.qr_reader import NoCodeError, read_picture
from integrations.rendering.pass_images import png
from tests.pass_photographs import bad_photograph

CODE = "eyJhbGciOiJFZERTQSIsImtpZCI6IjY3NTNhMWYwIn0." + "aB3-_" * 13 + "A." + "xY9_-" * 17 + "A"


@pytest.fixture(scope="module")
def picture() -> bytes:
    return png(CODE)


def saved(tmp_path: Path, picture: bytes) -> Path:
    path = tmp_path / "picture"
    path.write_bytes(picture)
    return path


@pytest.mark.parametrize("spoilt", [
    {},
    {"rotation": 90},
    {"rotation": 187},
    {"rotation": 45, "scale": 0.5},
    {"blur": 4},
    {"blur": 5, "contrast": 0.3},
    {"noise": 60},
    {"noise": 40, "contrast": 0.5},
    {"shadow": 0.95},
    {"shadow": 0.9, "noise": 10, "jpeg_quality": 20},
    {"contrast": 0.08},
    {"contrast": -1.0},
    {"perspective": 0.45},
    {"scale": 0.32},
    {"scale": 4.0, "blur": 6},
    {"jpeg_quality": 4},
    {"rotation": 33, "perspective": 0.3, "blur": 2, "noise": 20, "shadow": 0.5, "contrast": 0.5, "jpeg_quality": 30},
])  # fmt: skip
def test_a_bad_photograph_is_read(tmp_path: Path, picture: bytes, spoilt: dict[str, float]) -> None:
    assert read_picture(saved(tmp_path, bad_photograph(picture, **spoilt))) == CODE  # type: ignore[arg-type]  # quality is whole


def test_a_picture_that_lies_on_its_side_and_one_with_colours_are_read(tmp_path: Path, picture: bytes) -> None:
    for mode in ("RGBA", "P", "CMYK", "1"):
        file = BytesIO()
        Image.open(BytesIO(picture)).rotate(90).convert(mode).save(file, "TIFF")
        assert read_picture(saved(tmp_path, file.getvalue())) == CODE


@pytest.mark.parametrize("ink", [0, 255])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_a_code_on_nothing_is_read(tmp_path: Path, picture: bytes, mode: str, ink: int) -> None:
    code = Image.open(BytesIO(picture)).convert("L")
    dark = code.point([255 if value == 0 else 0 for value in range(256)])
    drawn = Image.new("LA", code.size, (ink, 0) if ink else (0, 0))
    drawn.paste((ink, 255), (0, 0), dark)
    file = BytesIO()
    if mode == "P":
        painted = dark.point([0 if value == 0 else 1 for value in range(256)]).convert("P")
        painted.putpalette([0, 0, 0, ink, ink, ink])
        painted.save(file, "PNG", transparency=0)
    else:
        drawn.convert(mode).save(file, "PNG")
    assert read_picture(saved(tmp_path, file.getvalue())) == CODE


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_a_code_in_more_shades_than_a_screen_has_is_read(tmp_path: Path, picture: bytes, mode: str) -> None:
    file = BytesIO()
    scale = {"I;16": 200.0, "I": 2.0**22, "F": 1 / 255}[mode]
    wide = Image.open(BytesIO(picture)).convert("L").convert("F").point(lambda value: value * scale + scale)
    (wide if mode == "F" else wide.convert("I")).convert(mode).save(file, "TIFF")
    assert read_picture(saved(tmp_path, file.getvalue())) == CODE


def test_a_code_with_a_long_text_beside_it_is_read(tmp_path: Path, picture: bytes) -> None:
    text = PngInfo()
    text.add_text("Comment", "x" * 3_000_000, zip=True)
    file = BytesIO()
    Image.open(BytesIO(picture)).save(file, "PNG", pnginfo=text)
    assert read_picture(saved(tmp_path, file.getvalue())) == CODE


def test_of_several_codes_the_one_that_looks_like_a_pass_is_taken(tmp_path: Path, picture: bytes) -> None:
    wall = Image.new("L", (1600, 800), 255)
    wall.paste(Image.open(BytesIO(png("https://example.org/menu"))), (20, 20))
    wall.paste(Image.open(BytesIO(picture)), (800, 20))
    file = BytesIO()
    wall.save(file, "PNG")
    assert read_picture(saved(tmp_path, file.getvalue())) == CODE


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_a_file_that_is_no_picture_is_reported(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(NoCodeError, match="not a readable picture"):
        read_picture(saved(tmp_path, content))


def test_a_picture_cut_short_is_no_picture(tmp_path: Path, picture: bytes) -> None:
    with pytest.raises(NoCodeError, match="not a readable picture"):
        read_picture(saved(tmp_path, picture[: len(picture) // 2]))


def test_a_picture_without_a_code_is_reported(tmp_path: Path) -> None:
    file = BytesIO()
    Image.effect_noise((400, 300), 60).save(file, "PNG")
    with pytest.raises(NoCodeError, match="no readable QR code"):
        read_picture(saved(tmp_path, file.getvalue()))
