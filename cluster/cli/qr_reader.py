"""Reads the QR code in a picture, also in a dark, blurred, noisy or rotated one."""

from collections.abc import Iterator
from io import BytesIO
from itertools import chain
from pathlib import Path

import zxingcpp
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError

from integrations.images.pixels import has_alpha, strip_optional_chunks, to_eight_bits

_QR = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
_LARGEST_SIDE = 4000  # in pixels, of a picture that is read at its own size
_STANDARD_SIDE = 1000


class NoCodeError(Exception):
    """The file has no readable QR code, or is not a picture."""


def read_picture(path: Path) -> str:
    """The text of the QR code in a picture; of several, the one that looks like a pass.

    Raises:
        NoCodeError: there is none, or the file is not a picture.
    """
    try:
        with Image.open(BytesIO(strip_optional_chunks(path.read_bytes()))) as opened:
            # Phones store pictures in the sensor's orientation and name the right one in a tag.
            pictures = _grey(to_eight_bits(ImageOps.exif_transpose(opened)))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise NoCodeError(f"{path} is not a readable picture") from error
    for variant in chain.from_iterable(_variants(picture) for picture in pictures):
        texts = [found.text for found in zxingcpp.read_barcodes(variant, formats=_QR) if found.text]
        if texts:
            return max(texts, key=lambda text: text.count(".") == 2)  # noqa: PLR2004 - of a JWT
    raise NoCodeError(f"{path} has no readable QR code")


def _grey(picture: Image.Image) -> list[Image.Image]:
    """A picture in shades of grey; a transparent one twice: on white, as most pages show it, and on black."""
    if not has_alpha(picture):
        return [picture.convert("L")]
    transparent = picture.convert("RGBA")
    return [
        Image.alpha_composite(Image.new("RGBA", transparent.size, background), transparent).convert("L")
        for background in ("white", "black")
    ]


def _variants(picture: Image.Image) -> Iterator[Image.Image]:
    """The picture, then versions of it that repair common faults of photographs, cheap ones first."""
    largest = max(picture.size)
    if largest <= _LARGEST_SIDE:
        yield picture
        yield ImageOps.autocontrast(picture, cutoff=2)
    standard = _scaled(picture, _STANDARD_SIDE / largest)
    yield from _filtered(standard)
    for factor in (0.6, 1.6, 2.5, 0.4):
        yield from _filtered(_scaled(picture, _STANDARD_SIDE * factor / largest))
    contrasted = ImageOps.autocontrast(standard, cutoff=2)
    for degrees in (15, 30, 45, 60, 75):
        yield contrasted.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)


def _filtered(picture: Image.Image) -> Iterator[Image.Image]:
    yield picture
    yield ImageOps.autocontrast(picture, cutoff=2)
    yield picture.filter(ImageFilter.MedianFilter(3))  # noise
    yield picture.filter(ImageFilter.GaussianBlur(1.5))  # moiré of a screen
    yield picture.filter(ImageFilter.UnsharpMask(radius=4, percent=250, threshold=0))  # out of focus
    yield _adaptive_threshold(picture)


def _adaptive_threshold(picture: Image.Image) -> Image.Image:
    """Black and white by comparison with the surroundings, which removes shadows and glare."""
    around = picture.filter(ImageFilter.BoxBlur(max(picture.size) / 20))
    difference = Image.blend(picture, ImageOps.invert(around), 0.5)  # 127 where a pixel is as bright as around it
    return difference.point([0 if value < 125 else 255 for value in range(256)])  # noqa: PLR2004 - just below 127


def _scaled(picture: Image.Image, factor: float) -> Image.Image:
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.LANCZOS)
