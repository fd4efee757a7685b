"""Normalises a picture to pixels of eight bits per channel, without additional data."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

_PNG = b"\x89PNG\r\n\x1a\n"
_CHUNK_OVERHEAD = 12  # bytes of a chunk without its data: length, name, checksum
# Eight mebibytes of pixels have about a thousand chunks. Millions of empty chunks would only cost time.
_MAX_CHUNKS = 20_000
# Optional chunks that are kept: transparency, orientation, animation.
_KEPT_CHUNKS = frozenset({b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT"})
_OPTIONAL_BIT = 0x20  # this bit of a chunk's first letter (https://www.w3.org/TR/png-3/#5Chunk-naming-conventions)
_MAX_16_BIT = 2**16 - 1
_TO_8_BITS = [(value * 255 + _MAX_16_BIT // 2) // _MAX_16_BIT for value in range(_MAX_16_BIT + 1)]


def strip_optional_chunks(data: bytes) -> bytes:
    """Remove the additional chunks of a PNG: texts and profiles, however large or broken.

    Pillow decompresses them, and rejects the whole picture if one exceeds a mebibyte.

    Args:
        data: a file of any type; anything but a PNG is returned unchanged.

    Returns:
        The file. For a PNG with an implausible number of chunks only its signature, which is not a picture.
    """
    if not data.startswith(_PNG):
        return data
    kept, position, view, chunks = [_PNG], len(_PNG), memoryview(data), 0
    while position < len(data):
        chunks += 1
        if chunks > _MAX_CHUNKS:
            return _PNG
        end = position + _CHUNK_OVERHEAD + int.from_bytes(view[position : position + 4], "big")
        name = bytes(view[position + 4 : position + 8])
        if not name or not name[0] & _OPTIONAL_BIT or name in _KEPT_CHUNKS:
            kept.append(bytes(view[position:end]))
        position = end
    return b"".join(kept)


def to_eight_bits(picture: "Image.Image") -> "Image.Image":
    """Convert to eight bits per channel. Pillow itself would clip larger values at 255.

    Grey of 16 bits is scaled. For other modes the white point is unknown: the largest value becomes white.
    """
    if picture.mode.startswith("I;16"):
        return _scaled_16(picture)
    if picture.mode in {"I", "F"}:
        return _stretched(picture)
    key = picture.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:  # noqa: PLR2004 - a colour of 16 bits; Pillow reads 8
        picture.info["transparency"] = tuple(value >> 8 for value in key)
    return picture


def has_alpha(picture: "Image.Image") -> bool:
    """Whether the picture may have transparent pixels."""
    return picture.has_transparency_data


def _scaled_16(picture: "Image.Image") -> "Image.Image":
    from PIL import Image  # noqa: PLC0415 - replicas that handle no pictures shall not load Pillow

    wide = picture.convert("I")
    grey = wide.point(_TO_8_BITS, "L")
    key = picture.info.get("transparency")
    if isinstance(key, int):
        opaque = [255] * (_MAX_16_BIT + 1)
        opaque[min(key, _MAX_16_BIT)] = 0
        grey = Image.merge("LA", (grey, wide.point(opaque, "L")))
    grey.info = {name: value for name, value in picture.info.items() if name != "transparency"}
    return grey


def _stretched(picture: "Image.Image") -> "Image.Image":
    low, high = picture.convert("F").getextrema()
    assert isinstance(low, float) and isinstance(high, float)  # noqa: PT018, S101 - one band gives two numbers
    factor = 255 / (high - low) if high > low else 0.0
    return picture.convert("F").point(lambda value: value * factor - low * factor).convert("L")
