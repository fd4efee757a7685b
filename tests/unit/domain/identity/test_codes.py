"""Codes that people type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identity.codes import normal_code

DIGITS = st.text("0123456789", min_size=1, max_size=12)
BETWEEN = st.text(" \t\n-\u2010\u2013\u2212\u00a0\u2009\u3000\u200b\u200d\u2060\ufeff\uff0d", max_size=3)


@given(st.data(), DIGITS)
def test_spaces_hyphens_and_zero_width_characters_between_digits_do_not_matter(data: st.DataObject, code: str) -> None:
    typed = "".join(data.draw(BETWEEN) + digit for digit in code) + data.draw(BETWEEN)
    assert normal_code(typed) == code


@pytest.mark.parametrize("zero", ["\uff10", "\u0660", "\u0966", "\U0001d7ce"])
def test_digits_of_any_script_are_digits(zero: str) -> None:
    assert normal_code("".join(chr(ord(zero) + number) for number in (0, 9, 4))) == "094"


@pytest.mark.parametrize("typed", ["", " \n", "-", "\u200b"])
def test_what_holds_no_digit_is_empty(typed: str) -> None:
    assert normal_code(typed) == ""


@pytest.mark.parametrize("typed", ["12a456", "½23456", "①23456x", "1.2", "\ud800"])
def test_what_is_no_number_stays_as_it_is_apart_from_spaces_around_it(typed: str) -> None:
    assert normal_code(f" {typed}\n") == typed


@given(st.text(max_size=70))
def test_any_text_is_taken_and_a_normal_code_stays_as_it_is(typed: str) -> None:
    assert normal_code(normal_code(typed)) == normal_code(typed)
