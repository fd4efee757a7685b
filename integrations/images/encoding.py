"""Encodes a picture anew from its pixels, so that nothing else of the file survives.

Location and camera data (EXIF), colour profiles, texts, and data of other formats before or after the picture are never
copied. A file that is also a web page or a program becomes a plain picture.
"""

import hashlib
from io import BytesIO

import structlog
from PIL import Image, ImageOps, UnidentifiedImageError

from domain.images import Encoded, ImageProblem, ImageRefusal, Size
from integrations.images.pixels import has_alpha, strip_optional_chunks, to_eight_bits

CONTENT_TYPE = "image/webp"
LONGEST_SIDE = {Size.LARGE: 1600, Size.SMALL: 320}
"""In pixels; smaller pictures are not enlarged."""

_FORMATS = ("JPEG", "PNG", "WEBP")
_QUALITY = 85

_log = structlog.get_logger(__name__)

_NO_PICTURE = ImageRefusal(ImageProblem.IMAGE_UNREADABLE, "The file is no JPEG, PNG or WebP picture.")
_BROKEN = ImageRefusal(ImageProblem.IMAGE_UNREADABLE, "The picture is broken or not complete.")
_MOVES = ImageRefusal(ImageProblem.IMAGE_UNREADABLE, "The picture moves. Send one that stands still.")


def reencode(data: bytes, max_pixels: int) -> Encoded | ImageRefusal:
    """Encode a picture in both sizes, upright, from its pixels only.

    Args:
        data: the uploaded file; its declared type is ignored.
        max_pixels: maximum width times height. Larger pictures are refused by their header.
    """
    try:
        return _encoded(data, max_pixels)
    except UnidentifiedImageError:
        return _NO_PICTURE
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _too_many_points(max_pixels)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - Pillow raises a dozen kinds for files that break their format's rules
        _log.info("image_broken", error=type(error).__name__)
        return _BROKEN


def _encoded(data: bytes, max_pixels: int) -> Encoded | ImageRefusal:
    with Image.open(BytesIO(strip_optional_chunks(data)), formats=_FORMATS) as picture:
        if picture.width * picture.height > max_pixels:
            return _too_many_points(max_pixels)
        # A phone's JPEG may carry a second picture (MPO), such as one of depths; the first is the photograph.
        if picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1:
            return _MOVES
        # A JPEG is decoded at an eighth, a quarter or half of its size where that is still large enough.
        picture.draft("RGB", _within(picture.size, LONGEST_SIDE[Size.LARGE]))
        plain = to_eight_bits(picture)
        mode = "RGBA" if has_alpha(plain) else "RGB"
        plain.load()
        points = plain if plain.mode == mode else plain.convert(mode)  # a copy would take as much again
    points.thumbnail((LONGEST_SIDE[Size.LARGE],) * 2, Image.Resampling.LANCZOS)
    _turn_upright(points)
    large = _file(points)
    points.thumbnail((LONGEST_SIDE[Size.SMALL],) * 2, Image.Resampling.LANCZOS)
    return Encoded(hashlib.sha256(large).hexdigest(), large, _file(points), CONTENT_TYPE)


def _within(size: tuple[int, int], longest_side: int) -> tuple[int, int]:
    shrunk = min(1.0, longest_side / max(size))
    return max(1, int(size[0] * shrunk)), max(1, int(size[1] * shrunk))


def _turn_upright(points: Image.Image) -> None:
    """Apply the orientation that phones store in EXIF."""
    try:
        ImageOps.exif_transpose(points, in_place=True)
    except Exception as error:  # noqa: BLE001 - what stands beside the points is broken; they are not
        _log.info("image_exif_broken", error=type(error).__name__)


def _file(points: Image.Image) -> bytes:
    # A new picture has nothing beside its points, whatever was beside those that are put into it.
    bare = Image.new(points.mode, points.size)
    bare.paste(points)
    file = BytesIO()
    bare.save(file, "WEBP", quality=_QUALITY, method=4)
    return file.getvalue()


def _too_many_points(max_pixels: int) -> ImageRefusal:
    return ImageRefusal(
        ImageProblem.IMAGE_UNREADABLE, f"The picture has more than {max_pixels // 1_000_000} million points."
    )
