"""Labels for machines: name, type and QR code; one as a picture, many as sheets to print."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final, cast

from integrations.rendering import pass_images
from integrations.rendering.transliteration import transliterate

if TYPE_CHECKING:
    from fpdf import FPDF
    from PIL import ImageFont

COLUMNS, ROWS = 3, 8
"""Labels on a common A4 label sheet: 70 by 37 mm each."""

_WIDTH_MM, _HEIGHT_MM = 70.0, 37.0
_QR_MM, _PAD_MM = 27.0, 3.0
_TOP_MM = (297.0 - ROWS * _HEIGHT_MM) / 2
_FONT = "Helvetica"  # a standard font, with the characters of Latin-1
_PICTURE_CODEC = "ascii"  # Pillow's own font has few other characters
_NAME_PT, _KIND_PT, _MIN_PT = 13.0, 9.0, 6.0
_MM_PER_PT = 25.4 / 72
_MAX_LINES = 4
_PIXELS: Final = 600
_MIN_PIXELS = 20


@dataclass(frozen=True, slots=True)
class Label:
    """A label.

    Args:
        name, kind: lines of text.
        address: content of the QR code.
    """

    name: str
    kind: str
    address: str


def label_sheets(labels: Sequence[Label]) -> bytes:
    """A PDF of A4 sheets with 3 by 8 labels each; one empty sheet if there are none."""
    from fpdf import FPDF  # noqa: PLC0415 - takes half a second, which would delay the start of every replica

    sheets = FPDF(unit="mm", format="A4")
    sheets.set_auto_page_break(auto=False)
    sheets.set_margin(0)
    sheets.c_margin = 0
    if not labels:
        sheets.add_page()
    for number, label in enumerate(labels):
        place = number % (COLUMNS * ROWS)
        if place == 0:
            sheets.add_page()
        row, column = divmod(place, COLUMNS)
        _draw(sheets, label, column * _WIDTH_MM, _TOP_MM + row * _HEIGHT_MM)
    return bytes(sheets.output())


def label_picture(label: Label) -> bytes:
    """A PNG of one label: the QR code, below it name and type."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - replicas that handle no pictures shall not load Pillow

    code = Image.open(BytesIO(pass_images.png(label.address, _PIXELS))).convert("L")
    lines = [(transliterate(label.name, _PICTURE_CODEC), 44), (transliterate(label.kind, _PICTURE_CODEC), 30)]
    picture = Image.new("L", (_PIXELS, _PIXELS + sum(size + 16 for _, size in lines) + 16), 255)
    picture.paste(code, (0, 0))
    pen, y = ImageDraw.Draw(picture), _PIXELS
    for text, size in lines:
        shown, font = _fitting(text, size)
        pen.text((_PIXELS / 2, y), shown, fill=0, font=font, anchor="ma")
        y += size + 16
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _draw(sheets: "FPDF", label: Label, x: float, y: float) -> None:
    # Half a millimetre per module: readable from a distance of one metre.
    code = BytesIO(pass_images.png(label.address, _PIXELS))
    sheets.image(code, x + _PAD_MM, y + (_HEIGHT_MM - _QR_MM) / 2, _QR_MM, _QR_MM)
    left = x + _PAD_MM + _QR_MM + 1
    width = x + _WIDTH_MM - _PAD_MM - left
    top = y + 6.0
    for text, size, style in ((transliterate(label.name), _NAME_PT, "B"), (transliterate(label.kind), _KIND_PT, "")):
        top = _write(sheets, text, size, style, left, top, width) + 1.0


def _write(sheets: "FPDF", text: str, size: float, style: str, left: float, top: float, width: float) -> float:
    """Write a text over several lines, smaller if it is too long. Returns where it ends, in mm."""
    while True:
        sheets.set_font(_FONT, style, size)
        lines = cast("list[str]", sheets.multi_cell(width, text=text, dry_run=True, output="LINES", align="L"))
        if len(lines) <= _MAX_LINES or size <= _MIN_PT:
            break
        size -= 1
    height = size * _MM_PER_PT * 1.15
    for line in lines[:_MAX_LINES]:
        sheets.set_xy(left, top)
        sheets.cell(width, height, line, new_x="LEFT", new_y="NEXT")
        top += height
    return top


def _fitting(text: str, size: int) -> tuple[str, "ImageFont.FreeTypeFont | ImageFont.ImageFont"]:
    """The text in the largest size that fits; cut if even the smallest does not."""
    from PIL import ImageFont  # noqa: PLC0415 - replicas that handle no pictures shall not load Pillow

    width = _PIXELS - 20
    while (font := ImageFont.load_default(size)).getlength(text) > width and size > _MIN_PIXELS:
        size -= 2
    while font.getlength(text) > width:
        text = f"{text[:-4]}..."
    return text, font
