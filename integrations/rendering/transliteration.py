"""Converts names to the characters that a font has."""

import unicodedata

EVERY_READER = "latin-1"
"""The letters of the fonts that every reader of PDF has."""

_NO_LETTER = "?"
# What falls apart into no letter of its own.
_LIKE = {
    **dict(zip("łŁđĐıħĦŧŦøØ·–—‘’“”„", 'lLdDihHtToO---\'\'"""', strict=True)),  # noqa: RUF001 - as people write
    "ß": "ss",
    "æ": "ae",
    "Æ": "AE",
    "œ": "oe",
    "Œ": "OE",
    "€": "EUR",
}


def transliterate(text: str, letters: str = EVERY_READER) -> str:
    """The text without accents that the font lacks, and `?` for characters of other scripts.

    Args:
        text: any text; white space is collapsed.
        letters: the codec of the font's characters.
    """
    return "".join(_letter(letter, letters) for letter in " ".join(text.split()))


def _letter(letter: str, letters: str) -> str:
    if _has(letters, letter):
        return letter
    if letter in _LIKE:
        return _LIKE[letter]
    apart = "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
    if apart and all(_has(letters, part) for part in apart):
        return apart
    return "" if unicodedata.category(letter) in {"Mn", "Cf", "Cc"} else _NO_LETTER


def _has(letters: str, letter: str) -> bool:
    try:
        letter.encode(letters)
    except UnicodeEncodeError:
        return False
    return letter.isprintable()
