"""Reads the QR code in a picture, badly photographed ones too."""

from collections.abc import Iterator
from io import BytesIO
from itertools import chain
from pathlib import Path

import zxingcpp
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError

from integrations.images.pixels import has_alpha, strip_optional_chunks, to_eight_bits

_QR = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
_LONGEST_SIDE = 4000  # of a picture that is looked at as it is
_USUAL_SIDE = 1000


class NoCodeError(Exception):
    """A picture shows no QR code that can be read, or is no picture."""


def read_picture(path: Path) -> str:
    """The text of the QR code in a picture; of several, the one that looks like a pass.

    Raises:
        NoCodeError: there is none, or the file is no picture.
    """
    try:
        with Image.open(BytesIO(strip_optional_chunks(path.read_bytes()))) as opened:
            # Phones store pictures lying down and say so beside them.
            pictures = _grey(to_eight_bits(ImageOps.exif_transpose(opened)))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise NoCodeError(f"{path} is no picture that can be read") from error
    for variant in chain.from_iterable(_variants(picture) for picture in pictures):
        texts = [found.text for found in zxingcpp.read_barcodes(variant, formats=_QR) if found.text]
        if texts:
            return max(texts, key=lambda text: text.count(".") == 2)  # noqa: PLR2004 - of a JWT
    raise NoCodeError(f"{path} shows no QR code that can be read")


def _grey(picture: Image.Image) -> list[Image.Image]:
    """A picture in shades of grey; one with transparent points on white, as most pages show it, and on black."""
    if not has_alpha(picture):
        return [picture.convert("L")]
    shown = picture.convert("RGBA")
    return [
        Image.alpha_composite(Image.new("RGBA", shown.size, background), shown).convert("L")
        for background in ("white", "black")
    ]


def _variants(picture: Image.Image) -> Iterator[Image.Image]:
    """The picture as it is, then changed in the ways that bring back the codes of bad ones, cheap ones first."""
    largest = max(picture.size)
    if largest <= _LONGEST_SIDE:
        yield picture
        yield ImageOps.autocontrast(picture, cutoff=2)
    usual = _scaled(picture, _USUAL_SIDE / largest)
    yield from _at_one_size(usual)
    for factor in (0.6, 1.6, 2.5, 0.4):
        yield from _at_one_size(_scaled(picture, _USUAL_SIDE * factor / largest))
    contrasted = ImageOps.autocontrast(usual, cutoff=2)
    for degrees in (15, 30, 45, 60, 75):
        yield contrasted.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)


def _at_one_size(picture: Image.Image) -> Iterator[Image.Image]:
    yield picture
    yield ImageOps.autocontrast(picture, cutoff=2)
    yield picture.filter(ImageFilter.MedianFilter(3))  # noise
    yield picture.filter(ImageFilter.GaussianBlur(1.5))  # moiré of a screen
    yield picture.filter(ImageFilter.UnsharpMask(radius=4, percent=250, threshold=0))  # out of focus
    yield _evenly_lit(picture)


def _evenly_lit(picture: Image.Image) -> Image.Image:
    """Black and white by comparison with the surroundings: shadows and glare go."""
    around = picture.filter(ImageFilter.BoxBlur(max(picture.size) / 20))
    offset = Image.blend(picture, ImageOps.invert(around), 0.5)  # 127 where a point is as bright as what is around it
    return offset.point([0 if value < 125 else 255 for value in range(256)])  # noqa: PLR2004 - a little under the middle


def _scaled(picture: Image.Image, factor: float) -> Image.Image:
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.LANCZOS)
