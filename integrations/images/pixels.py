"""Normalises a picture to pixels of eight bits per channel, without additional data."""

from PIL import Image

_PNG = b"\x89PNG\r\n\x1a\n"
_FRAME = 12  # bytes of a chunk beside its data: length, name, checksum
# Eight mebibytes of points come in a thousand pieces or so. Millions of empty chunks would only take time to read.
_MOST_CHUNKS = 20_000
# Of what is optional in a PNG: transparency, how the camera was held, and whether it moves.
_WANTED = frozenset({b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT"})
_OPTIONAL = 0x20  # this bit of a chunk's first letter (https://www.w3.org/TR/png-3/#5Chunk-naming-conventions)
_LARGEST_16 = 2**16 - 1
_TO_8_BITS = [(value * 255 + _LARGEST_16 // 2) // _LARGEST_16 for value in range(_LARGEST_16 + 1)]


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
    kept, place, whole, chunks = [_PNG], len(_PNG), memoryview(data), 0
    while place < len(data):
        chunks += 1
        if chunks > _MOST_CHUNKS:
            return _PNG
        end = place + _FRAME + int.from_bytes(whole[place : place + 4], "big")
        name = bytes(whole[place + 4 : place + 8])
        if not name or not name[0] & _OPTIONAL or name in _WANTED:
            kept.append(bytes(whole[place:end]))
        place = end
    return b"".join(kept)


def to_eight_bits(picture: Image.Image) -> Image.Image:
    """Convert to eight bits per channel. Pillow itself would clip larger values at 255.

    Grey of 16 bits is scaled. For other modes the white point is unknown: the largest value becomes white.
    """
    if picture.mode.startswith("I;16"):
        return _scaled_16(picture)
    if picture.mode in {"I", "F"}:
        return _stretched(picture)
    key = picture.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:  # noqa: PLR2004 - of 16 bits, while Pillow has read 8 of each point
        picture.info["transparency"] = tuple(value >> 8 for value in key)
    return picture


def has_alpha(picture: Image.Image) -> bool:
    """Whether the picture may have transparent pixels."""
    return picture.has_transparency_data


def _scaled_16(picture: Image.Image) -> Image.Image:
    wide = picture.convert("I")
    grey = wide.point(_TO_8_BITS, "L")
    key = picture.info.get("transparency")
    if isinstance(key, int):
        opaque = [255] * (_LARGEST_16 + 1)
        opaque[min(key, _LARGEST_16)] = 0
        grey = Image.merge("LA", (grey, wide.point(opaque, "L")))
    grey.info = {name: value for name, value in picture.info.items() if name != "transparency"}
    return grey


def _stretched(picture: Image.Image) -> Image.Image:
    least, most = picture.convert("F").getextrema()
    assert isinstance(least, float) and isinstance(most, float)  # noqa: PT018, S101 - there is one band
    factor = 255 / (most - least) if most > least else 0.0
    return picture.convert("F").point(lambda value: value * factor - least * factor).convert("L")
