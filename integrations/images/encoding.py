"""Encodes a picture anew from its pixels, so that nothing else of the file survives.

Location and camera data (EXIF), colour profiles, texts, and data of other formats before or after the picture are never
copied. A file that is also a web page or a program becomes a plain picture.
"""

import hashlib
from io import BytesIO
from typing import TYPE_CHECKING

import structlog

from domain.images.model import Encoded, ImageProblem, ImageRefusal, Size
from integrations.images.pixels import has_alpha, strip_optional_chunks, to_eight_bits

if TYPE_CHECKING:
    from PIL import Image

CONTENT_TYPE = "image/webp"
LONGEST_SIDE = {Size.LARGE: 1600, Size.SMALL: 320}
"""In pixels; smaller pictures are not enlarged."""

_FORMATS = ("JPEG", "PNG", "WEBP")
_QUALITY = 85

_log = structlog.get_logger(__name__)

_NOT_A_PICTURE = ImageRefusal(ImageProblem.IMAGE_UNREADABLE, "The file is not a JPEG, PNG or WebP picture.")
_DAMAGED = ImageRefusal(ImageProblem.IMAGE_UNREADABLE, "The picture is damaged or incomplete.")
_ANIMATED = ImageRefusal(ImageProblem.IMAGE_UNREADABLE, "Animated pictures are not supported. Send a still picture.")


def reencode(data: bytes, max_pixels: int) -> Encoded | ImageRefusal:
    """Encode a picture in both sizes, upright, from its pixels only.

    Args:
        data: the uploaded file; its declared type is ignored.
        max_pixels: maximum width times height. Larger pictures are refused by their header.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - replicas that handle no pictures shall not load Pillow

    try:
        return _encoded(data, max_pixels)
    except UnidentifiedImageError:
        return _NOT_A_PICTURE
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _too_many_pixels(max_pixels)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - Pillow raises many types of errors for damaged files
        _log.info("image_damaged", error=type(error).__name__)
        return _DAMAGED


def _encoded(data: bytes, max_pixels: int) -> Encoded | ImageRefusal:
    from PIL import Image  # noqa: PLC0415 - replicas that handle no pictures shall not load Pillow

    with Image.open(BytesIO(strip_optional_chunks(data)), formats=_FORMATS) as picture:
        if picture.width * picture.height > max_pixels:
            return _too_many_pixels(max_pixels)
        # The JPEG of a phone may contain a second picture (MPO), such as a depth map. The first one is the photograph.
        if picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1:
            return _ANIMATED
        # Decode a JPEG at an eighth, a quarter or half of its size if that is still large enough.
        picture.draft("RGB", _within(picture.size, LONGEST_SIDE[Size.LARGE]))
        plain = to_eight_bits(picture)
        mode = "RGBA" if has_alpha(plain) else "RGB"
        plain.load()
        pixels = plain if plain.mode == mode else plain.convert(mode)  # a copy would double the memory
    pixels.thumbnail((LONGEST_SIDE[Size.LARGE],) * 2, Image.Resampling.LANCZOS)
    _turn_upright(pixels)
    large = _file(pixels)
    pixels.thumbnail((LONGEST_SIDE[Size.SMALL],) * 2, Image.Resampling.LANCZOS)
    return Encoded(hashlib.sha256(large).hexdigest(), large, _file(pixels), CONTENT_TYPE)


def _within(size: tuple[int, int], longest_side: int) -> tuple[int, int]:
    shrunk = min(1.0, longest_side / max(size))
    return max(1, int(size[0] * shrunk)), max(1, int(size[1] * shrunk))


def _turn_upright(pixels: "Image.Image") -> None:
    """Apply the orientation that phones store in EXIF."""
    from PIL import ImageOps  # noqa: PLC0415 - replicas that handle no pictures shall not load Pillow

    try:
        ImageOps.exif_transpose(pixels, in_place=True)
    except Exception as error:  # noqa: BLE001 - the metadata is damaged, the pixels are not
        _log.info("image_exif_damaged", error=type(error).__name__)


def _file(pixels: "Image.Image") -> bytes:
    from PIL import Image  # noqa: PLC0415 - replicas that handle no pictures shall not load Pillow

    # A new picture contains the pixels only, without the metadata of the original.
    bare = Image.new(pixels.mode, pixels.size)
    bare.paste(pixels)
    file = BytesIO()
    bare.save(file, "WEBP", quality=_QUALITY, method=4)
    return file.getvalue()


def _too_many_pixels(max_pixels: int) -> ImageRefusal:
    return ImageRefusal(
        ImageProblem.IMAGE_UNREADABLE, f"The picture has more than {max_pixels // 1_000_000} million pixels."
    )
