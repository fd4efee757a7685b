"""Names that are too long end between two letters."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identity.names import LONGEST_NAME, fitting, fitting_name

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FLAG = "\U0001f1ee\U0001f1f8"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize("letter", ["q\u0301", FAMILY, FLAG, "\U0001f44b\U0001f3fd", "कि", "☺\ufe0f", SCOTLAND])
def test_what_is_read_as_one_letter_is_kept_or_left_out_whole(letter: str) -> None:
    for most in range(1, 3 * len(letter) + 1):
        kept = fitting("a" + letter * 4, most)
        assert kept in {"a" + letter * number for number in range(4)}
        assert len(kept) <= most
        assert len(kept) > most - len(letter)


def test_a_flag_ends_after_its_second_half() -> None:
    assert fitting(FLAG * 3, 5) == FLAG * 2


def test_marks_alone_are_cut_all_the_same() -> None:
    assert len(fitting("\u0301" * 500, LONGEST_NAME)) == LONGEST_NAME


@given(st.text(max_size=500))
def test_a_name_fits_and_stays_the_same_the_second_time(text: str) -> None:
    name = fitting_name(text)
    assert len(name) <= LONGEST_NAME
    assert name in unicodedata.normalize("NFC", text)
    assert fitting_name(name) == name
