"""How text that people write is kept, compared and searched."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.text import LONGEST_KEY, comparison_key, normalized_text, search_key


@pytest.mark.parametrize(
    ("written", "stays"),
    [
        ("\u3000Mia\u3000Ruiz\u3000", "Mia\u3000Ruiz"),
        ("\ufeff\u200bMia\u200d ", "Mia"),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),  # Persian, with its joiner
        ("\u0d36\u0d4d\u200d\u0d30\u0d40", "\u0d36\u0d4d\u200d\u0d30\u0d40"),
        ("E\u0301mile", "\u00c9mile"),
        ("\u2764\ufe0f", "\u2764\ufe0f"),
        *(
            (unseen, "")
            for unseen in (
                "",
                " ",
                "\u200b\u200d",
                "\ufeff",
                "\u3164",
                "\u115f\u1160",
                "\u2800",
                "\ufe0f",
                "\u0301\u034f",
                "\u00ad",
            )
        ),
    ],
)
def test_a_text_is_trimmed_composed_and_empty_where_nothing_of_it_is_seen(written: str, stays: str) -> None:
    assert normalized_text(written) == stays


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Front door", "front  DOOR"),
        ("Front door", "Front\u200b door\u2060"),
        ("Front door", "Front\u3000door"),
        ("\u00c9mile", "e\u0301MILE"),
        ("\u03a3\u039f\u03a6\u0399\u0391\u03a3", "\u03c3\u03bf\u03c6\u03b9\u03b1\u03c2"),
        ("Stra\u00dfe", "STRASSE"),
        ("\uff27\uff39\uff2d", "gym"),
    ],
)
def test_names_that_people_take_for_the_same_compare_equal(one: str, other: str) -> None:
    assert comparison_key(one) == comparison_key(other)


@pytest.mark.parametrize(("one", "other"), [("\u00d6zlem", "Ozlem"), ("Door 1", "Door 2"), ("Door1", "Door 1")])
def test_other_names_do_not(one: str, other: str) -> None:
    assert comparison_key(one) != comparison_key(other)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        *(("\u00d6zlem", typed) for typed in ("\u00f6zlem", "o\u0308zlem", "\u00d6ZLEM", "ozlem")),
        *(("\u0418\u0432\u0430\u043d", typed) for typed in ("\u0438\u0432\u0430\u043d", "\u0418\u0412\u0410\u041d")),
        *(
            ("\u03a3\u03bf\u03c6\u03af\u03b1\u03c2", typed)
            for typed in (
                "\u03c3\u03bf\u03c6\u03b9\u03b1\u03c2",
                "\u03a3\u039f\u03a6\u0399\u0391\u03a3",
                "\u03c3\u03bf\u03c6\u03b9\u03b1\u03c3",
            )
        ),
        *(("E\u0301mile", typed) for typed in ("\u00e9mile", "e\u0301mile", "EMILE")),
        ("\u0130pek I\u015f\u0131k", "ipek isik"),
        ("S\u00f8ren \u0141ukasz \u00deora \u00c6sa", "soren lukasz thora aesa"),
        ("\u0633\u064e\u0644\u0627\u0645", "\u0633\u0644\u0627\u0645"),
        ("\u1112\u1161\u11ab", "\ud55c"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u062e"),
    ],
)
def test_a_name_is_found_in_any_case_in_either_form_and_without_accents(name: str, typed: str) -> None:
    assert search_key(name) == search_key(typed)


@pytest.mark.parametrize(
    ("one", "other"), [("\u304c", "\u304b"), ("\u0e01\u0e38", "\u0e01"), ("\u0915\u093f", "\u0915")]
)
def test_marks_that_are_letters_of_their_script_count(one: str, other: str) -> None:
    assert search_key(one) != search_key(other)


@given(st.text(max_size=200))
def test_a_key_is_its_own_key_whatever_the_form_and_fits_its_column(text: str) -> None:
    key = search_key(text)
    assert search_key(key) == key
    assert len(key) <= LONGEST_KEY
    assert search_key(normalize("NFD", text)) == key
    assert comparison_key(comparison_key(text)) == comparison_key(text)
    assert normalized_text(normalized_text(text)) == normalized_text(text)


def test_a_name_that_grows_is_found_by_all_of_it_and_by_its_beginning() -> None:
    grown = search_key("\ufdfa" * 200)  # eighteen letters each
    assert len(grown) <= LONGEST_KEY
    assert grown.startswith(search_key("\ufdfa" * 10))
