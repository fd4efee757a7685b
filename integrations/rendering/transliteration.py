"""Converts text to the characters that a font has."""

import unicodedata

STANDARD_FONT_CODEC = "latin-1"
"""Characters of the PDF standard fonts, which every reader has."""

_UNKNOWN_CHARACTER = "?"
# Characters without a Unicode decomposition.
_REPLACEMENTS = {
    **dict(zip("łŁđĐıħĦŧŦøØ·–—‘’“”„", 'lLdDihHtToO---\'\'"""', strict=True)),  # noqa: RUF001 - typographic characters
    "ß": "ss",
    "æ": "ae",
    "Æ": "AE",
    "œ": "oe",
    "Œ": "OE",
    "€": "EUR",
}


def transliterate(text: str, codec: str = STANDARD_FONT_CODEC) -> str:
    """Remove accents that the font lacks, and replace characters of other scripts by `?`.

    Args:
        text: any text; white space is collapsed.
        codec: the codec of the font's characters.
    """
    return "".join(_character(character, codec) for character in " ".join(text.split()))


def _character(character: str, codec: str) -> str:
    if _has(codec, character):
        return character
    if character in _REPLACEMENTS:
        return _REPLACEMENTS[character]
    decomposed = "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    if decomposed and all(_has(codec, part) for part in decomposed):
        return decomposed
    return "" if unicodedata.category(character) in {"Mn", "Cf", "Cc"} else _UNKNOWN_CHARACTER


def _has(codec: str, character: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return character.isprintable()
