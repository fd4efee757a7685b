"""Pictures as members and staff upload them, good and bad."""

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image

RED, BLUE = (220, 30, 30), (30, 30, 220)
ORIENTATION, GPS = 0x0112, 0x8825


def halves(width: int = 64, height: int = 32) -> Image.Image:
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(BLUE, (width // 2, 0, width, height))
    return picture


def file_of(picture: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:  # noqa: ANN401 - Pillow's own
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    """What a phone writes beside a picture: how it was held, and where."""
    written = Image.Exif()
    written[ORIENTATION] = orientation
    written[0x010F] = "MarkOfTheMaker"
    written.get_ifd(GPS).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    return written


def chunk(name: bytes, data: bytes) -> bytes:
    """A piece of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(colour_type: int, bits: int, rows: list[bytes], beside: bytes = b"", behind: bytes = b"") -> bytes:
    """A PNG of one row of points after another, 64 in each.

    Args:
        colour_type: 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGBA.
        bits: of each number.
        rows: the numbers, packed.
        beside, behind: chunks before and after the points.
    """
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, len(rows), bits, colour_type, 0, 0, 0))
    points = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + head + beside + points + behind + chunk(b"IEND", b"")


def png_head(width: int, height: int) -> bytes:
    """A PNG that says that it is of this size, with a few bytes where its points should be."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture


def near(point: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(point, tuple)
    return all(abs(one - other) < 40 for one, other in zip(point[:3], colour, strict=True))
