"""Text that people write: how it is stored, compared and searched."""

import unicodedata

# Invisible characters (Unicode's Default_Ignorable_Code_Point and the blank Braille pattern) beyond the categories Cc,
# Cf, Cs and Z, which `unicodedata` knows.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_VARIATION_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
# At the ends of a text these have no effect. Variation selectors stay: they belong to the previous character.
_LOOSE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
_WHITE_SPACE = "".join(
    map(chr, (*range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)))
) + ("\u2028\u2029\u202f\u205f\u3000")
# Letters that Unicode does not decompose (the first is a dotless i), as they are typed on other keyboards.
_TYPED_AS = str.maketrans(
    {"\u0131": "i", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "æ": "ae", "œ": "oe", "þ": "th"}
)
_MARKS_OF_HEBREW_AND_ARABIC = range(10, 36)  # canonical combining classes
_FIRST_MARK_ABOVE_OR_BELOW = 200
LONGEST_KEY = 255


def is_unseen(letter: str) -> bool:
    """Whether a character is invisible: white space, a control or format character, a filler."""
    return (
        unicodedata.category(letter)[0] in "CZ"
        or letter in _BLANK
        or any(ord(letter) in selectors for selectors in _VARIATION_SELECTORS)
    )


def normalized_text(text: str) -> str:
    """The stored form of a text: Unicode NFC, without surrounding white space and joiners.

    Empty if nothing of it is visible. Joiners, other format characters and wide spaces within the text stay.
    """
    trimmed = unicodedata.normalize("NFC", text.strip(_WHITE_SPACE + _LOOSE))
    is_seen = any(not is_unseen(letter) and not unicodedata.category(letter).startswith("M") for letter in trimmed)
    return trimmed if is_seen else ""


def comparison_key(text: str) -> str:
    """A key that is equal for names that people take for the same.

    Compatibility caseless matching (The Unicode Standard, section 3.13, D146), without invisible characters, and with
    single spaces.
    """
    folded = unicodedata.normalize("NFD", text).casefold()
    folded = unicodedata.normalize("NFKD", folded).casefold()
    seen = "".join(
        " " if letter.isspace() else letter for letter in folded if letter.isspace() or not is_unseen(letter)
    )
    return unicodedata.normalize("NFKC", " ".join(seen.split()))


def search_key(text: str) -> str:
    """A key for search: the `comparison_key` without accents, of stored texts and of search texts.

    At most `LONGEST_KEY` characters: compatibility forms of one character may have eighteen.
    """
    letters = unicodedata.normalize("NFKD", comparison_key(text)).translate(_TYPED_AS)
    plain = "".join(letter for letter in letters if not _is_accent(letter))
    return unicodedata.normalize("NFKC", " ".join(plain.split()))[:LONGEST_KEY].rstrip()


def _is_accent(letter: str) -> bool:
    """Whether a character is an accent that search ignores. Vowels and tones of other scripts change the word."""
    combining = unicodedata.combining(letter)
    return combining >= _FIRST_MARK_ABOVE_OR_BELOW or combining in _MARKS_OF_HEBREW_AND_ARABIC
