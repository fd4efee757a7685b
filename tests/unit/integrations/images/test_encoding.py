"""What becomes of an uploaded picture."""

import hashlib
import os
import struct
import zlib
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from domain.images.model import Encoded, ImageProblem, ImageRefusal
from integrations.images.encoding import reencode
from tests.sample_pictures import BLUE, RED, chunk, exif, file_of, halves, near, opened, png_head, png_of

MAX = 40_000_000
KINDS = ["JPEG", "PNG", "WEBP"]


def encoded(data: bytes, max_pixels: int = MAX) -> Encoded:
    made = reencode(data, max_pixels)
    assert isinstance(made, Encoded), made
    return made


def refused(data: bytes, max_pixels: int = MAX) -> str:
    made = reencode(data, max_pixels)
    assert isinstance(made, ImageRefusal), "it was taken"
    assert made.problem is ImageProblem.IMAGE_UNREADABLE
    return made.detail


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_published_in_two_sizes_under_the_hash_of_the_large_one(kind: str) -> None:
    made = encoded(file_of(halves(2000, 1000), kind))
    assert made.sha256 == hashlib.sha256(made.large).hexdigest()
    assert (opened(made.large).size, opened(made.small).size) == ((1600, 800), (320, 160))
    assert opened(made.large).format == opened(made.small).format == "WEBP"
    assert near(opened(made.small).getpixel((10, 80)), RED)
    assert near(opened(made.small).getpixel((310, 80)), BLUE)


def test_a_small_picture_is_not_made_larger() -> None:
    made = encoded(file_of(halves(64, 32)))
    assert opened(made.large).size == opened(made.small).size == (64, 32)


def test_a_picture_of_one_point_and_a_very_long_one_are_pictures() -> None:
    assert opened(encoded(file_of(halves(2, 1))).small).size == (2, 1)
    assert opened(encoded(file_of(halves(8000, 2))).small).size == (320, 1)


def test_the_same_picture_has_the_same_name() -> None:
    data = file_of(halves())
    assert encoded(data) == encoded(data)


@pytest.mark.parametrize("kind", KINDS)
def test_place_and_camera_of_a_picture_are_removed(kind: str) -> None:
    data = file_of(halves(400, 200), kind, exif=exif(), **({"comment": b"secret"} if kind == "JPEG" else {}))
    assert b"MarkOfTheMaker" in data
    made = encoded(data)
    for file in (made.large, made.small):
        assert b"MarkOfTheMaker" not in file
        assert b"EXIF" not in file
        assert b"secret" not in file
        assert not opened(file).getexif()
        assert set(opened(file).info) <= {"loop", "background", "timestamp", "duration"}


def test_colour_profiles_and_texts_stay_behind() -> None:
    data = file_of(halves(), "PNG", icc_profile=b"profile" * 20)
    assert b"ICCP" not in encoded(data).large


@pytest.mark.parametrize("name", [b"tEXt", b"tRNS", b"IDAT"])
def test_a_file_of_very_many_pieces_is_refused_before_they_are_read(name: bytes) -> None:
    rows = [bytes(3 * 64)] * 2
    assert encoded(png_of(2, 8, rows, beside=chunk(b"tEXt", b"") * 10_000))
    assert refused(png_of(2, 8, rows, beside=chunk(name, b"") * 20_001))


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_lies_is_stood_up(kind: str) -> None:
    # Orientation 6: the phone was held so that what is left is up.
    made = encoded(file_of(halves(64, 32), kind, exif=exif(6)))
    picture = opened(made.large)
    assert picture.size == (32, 64)
    assert near(picture.getpixel((16, 5)), RED)
    assert near(picture.getpixel((16, 60)), BLUE)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # Pillow says so, and goes on
@pytest.mark.parametrize("beside", [b"Exif\0\0nonsense", b"", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"])
def test_nonsense_beside_the_points_is_no_fault_of_theirs(beside: bytes) -> None:
    assert opened(encoded(file_of(halves(), exif=beside)).large).size == (64, 32)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_is_transparent_stays_transparent(kind: str) -> None:
    picture = halves().convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 32, 32))
    large = opened(encoded(file_of(picture, kind)).large)
    assert large.mode == "RGBA"
    alpha = large.getchannel("A")
    assert [alpha.getpixel((x, 5)) for x in (5, 60)] == [0, 255]


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "CMYK", "I;16", "RGB", "RGBA"])
def test_every_kind_of_points_is_taken(mode: str) -> None:
    picture = Image.new("I;16", (64, 32), 60_000) if mode == "I;16" else halves().convert(mode)
    made = encoded(file_of(picture, "JPEG" if mode == "CMYK" else "PNG"))
    assert opened(made.large).size == (64, 32)


# From black to white, 64 points in a row, in numbers of 16 bits.
RISING = [value * 65535 // 63 for value in range(64)]
GREY_16 = struct.pack(">64H", *RISING)


def shades(data: bytes) -> list[tuple[int, int]]:
    """Brightness and opacity of the first, a middle and the last point of the topmost row."""
    large = opened(encoded(data).large).convert("RGBA")
    points = [large.getpixel((x, 0)) for x in (0, 32, 63)]
    return [(point[0], point[3]) for point in points if isinstance(point, tuple)]


def test_grey_of_16_bits_is_as_bright_as_it_was() -> None:
    for (value, opacity), expected in zip(shades(png_of(0, 16, [GREY_16] * 8)), (0, 130, 255), strict=True):
        assert abs(value - expected) < 8
        assert opacity == 255


def test_one_grey_of_16_bits_may_be_transparent() -> None:
    clear = chunk(b"tRNS", struct.pack(">H", RISING[32]))
    assert [opacity for _, opacity in shades(png_of(0, 16, [GREY_16] * 8, clear))] == [255, 0, 255]


@pytest.mark.parametrize("colour_type", [2, 4, 6])
def test_colours_of_16_bits_are_as_bright_as_they_were(colour_type: int) -> None:
    alpha = [] if colour_type == 2 else [65535]
    shades_of = 1 if colour_type == 4 else 3
    points = [[value] * shades_of + alpha for value in RISING]
    row = b"".join(struct.pack(f">{len(numbers)}H", *numbers) for numbers in points)
    for (value, opacity), expected in zip(shades(png_of(colour_type, 16, [row] * 8)), (0, 130, 255), strict=True):
        assert abs(value - expected) < 8
        assert opacity == 255


def test_one_colour_of_16_bits_may_be_transparent() -> None:
    row = b"".join(struct.pack(">3H", value, 30_000, 65_535 - value) for value in RISING)
    clear = chunk(b"tRNS", struct.pack(">3H", 0, 30_000, 65_535))
    assert [opacity for _, opacity in shades(png_of(2, 16, [row] * 8, clear))] == [0, 255, 255]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_shades_are_as_bright_as_they_were(bits: int) -> None:
    most = 2**bits - 1
    row = int("".join(f"{value * most // 63:0{bits}b}" for value in range(64)), 2).to_bytes(8 * bits, "big")
    (first, _), _, (last, _) = shades(png_of(0, bits, [row] * 8))
    assert (first < 20, last > 235) == (True, True)


def test_a_picture_of_16_bits_that_lies_is_stood_up() -> None:
    beside = chunk(b"eXIf", exif(6).tobytes().removeprefix(b"Exif\0\0"))
    picture = opened(encoded(png_of(0, 16, [GREY_16] * 32, beside)).large).convert("L")
    assert picture.size == (32, 64)
    top, bottom = picture.getpixel((16, 2)), picture.getpixel((16, 61))
    assert isinstance(top, int) and isinstance(bottom, int)  # noqa: PT018
    assert (top < 20, bottom > 235) == (True, True)


LONG = zlib.compress(b"x" * 3_000_000)
EXTRAS = {
    "a long text, packed": chunk(b"zTXt", b"Comment\0\0" + LONG),
    "a long text in Unicode, packed": chunk(b"iTXt", b"Comment\0\1\0en\0\0" + LONG),
    "a long text": chunk(b"tEXt", b"Comment\0" + b"x" * 3_000_000),
    "a long colour profile": chunk(b"iCCP", b"profile\0\0" + LONG),
    "many texts": chunk(b"zTXt", b"C\0\0" + zlib.compress(b"x" * 900_000)) * 100,
    "texts that cannot be unpacked": chunk(b"zTXt", b"C\0\0broken") + chunk(b"iCCP", b"p\0\0broken"),
    "a text whose checksum is wrong": chunk(b"tEXt", b"Comment\0x")[:-4] + b"\0\0\0\0",
    "a resolution that is none": chunk(b"pHYs", b"\xff"),
    "a gamma that is none": chunk(b"gAMA", b"\xff"),
    "something of somebody's own": chunk(b"abCd", b"\xff" * 100),
}


@pytest.mark.parametrize("extra", EXTRAS)
def test_what_stands_beside_the_points_of_a_png_makes_no_difference(extra: str) -> None:
    plain = encoded(png_of(0, 16, [GREY_16] * 8))
    assert encoded(png_of(0, 16, [GREY_16] * 8, EXTRAS[extra])) == plain
    assert encoded(png_of(0, 16, [GREY_16] * 8, behind=EXTRAS[extra])) == plain


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_long_colour_profile_of_another_format_is_dropped_too(kind: str) -> None:
    assert encoded(file_of(halves(), kind, icc_profile=b"x" * 3_000_000)) == encoded(file_of(halves(), kind))


def test_a_chunk_that_says_it_is_longer_than_the_file_ends_the_picture() -> None:
    whole = png_of(0, 8, [bytes(range(64))] * 8)
    at = whole.index(b"IDAT") - 4
    refused(whole[:at] + b"\x7f\xff\xff\xfftEXt" + whole[at:])


def test_cmyk_of_a_printer_has_its_colours() -> None:
    picture = Image.new("CMYK", (64, 32), (0, 255, 255, 0))
    assert near(opened(encoded(file_of(picture, "JPEG")).large).getpixel((5, 5)), (255, 0, 0))


def test_a_palette_with_a_transparent_colour_is_taken() -> None:
    made = encoded(file_of(halves().convert("P"), "PNG", transparency=0))
    assert opened(made.large).size == (64, 32)


def test_a_bomb_is_refused_by_its_head_alone() -> None:
    for side in (7000, 12_000, 60_000):
        assert refused(png_head(side, side)) == "The picture has more than 40 million pixels."
    assert "pixels" in refused(file_of(halves(100, 100)), max_pixels=9_999)
    assert encoded(file_of(halves(100, 100)), max_pixels=10_000)


@pytest.mark.parametrize("kind", KINDS)
def test_half_a_picture_is_refused(kind: str) -> None:
    data = file_of(Image.frombytes("RGB", (200, 200), os.urandom(120_000)), kind)
    for share in (0.3, 0.6, 0.9):
        refused(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        b"RIFF\0\0\0\0WEBP",
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"<?xml version='1.0'?><svg/>",
        b"<!doctype html><script>alert(1)</script>",
        b"%PDF-1.7\n" + b"x" * 100,
        b"PK\x03\x04" + b"x" * 100,
        b"#!/bin/sh\n",
        b"GIF89a" + b"x" * 100,
    ],
)
def test_what_is_no_picture_by_its_first_bytes_is_refused(data: bytes) -> None:
    assert refused(data) in {
        "The file is not a JPEG, PNG or WebP picture.",
        "The picture is damaged or incomplete.",
    }


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO", "PPM", "TGA"])
def test_other_formats_are_refused_though_they_could_be_read(kind: str) -> None:
    assert refused(file_of(halves(), kind)) == "The file is not a JPEG, PNG or WebP picture."


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_something_else_as_well_comes_out_as_a_picture_only(kind: str) -> None:
    page = b"<html><script>alert(1)</script></html>%PDF-1.7 PK\x03\x04"
    made = encoded(file_of(halves(), kind) + page)
    assert made == encoded(file_of(halves(), kind))
    assert b"script" not in made.large + made.small


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_picture_that_moves_is_refused(kind: str) -> None:
    file = BytesIO()
    halves().save(file, kind, save_all=True, append_images=[halves().rotate(180)], duration=100, loop=0)
    assert refused(file.getvalue()) == "Animated pictures are not supported. Send a still picture."


def test_a_phone_s_picture_with_a_second_one_behind_it_is_a_picture() -> None:
    file = BytesIO()
    halves().save(file, "MPO", save_all=True, append_images=[halves().rotate(180)])
    assert near(opened(encoded(file.getvalue()).large).getpixel((5, 5)), RED)


@settings(max_examples=60)
@given(kind=st.sampled_from(KINDS), cuts=st.lists(st.tuples(st.floats(0, 0.999), st.binary(max_size=8)), max_size=4))
def test_whatever_is_uploaded_is_made_anew_or_refused(kind: str, cuts: list[tuple[float, bytes]]) -> None:
    data = bytearray(file_of(halves(20, 10), kind, exif=exif(3)))
    for place, other in cuts:
        start = int(place * len(data))
        data[start : start + len(other)] = other
    assert isinstance(reencode(bytes(data), 1_000_000), Encoded | ImageRefusal)
