"""The normal form of codes that people type."""

import unicodedata

_IGNORED = {"Cc", "Cf", "Pd", "Zl", "Zp", "Zs"}  # spaces, line ends, zero-width characters, hyphens and dashes
_MINUS = "\N{MINUS SIGN}"  # Unicode: a mathematical symbol; people type it as a hyphen


def normal_code(typed: str) -> str:
    """The normal form of a typed code: `123 456`, `123-456` and other decimal digits become `123456`.

    Other text only loses surrounding spaces.
    """
    letters = unicodedata.normalize("NFKC", typed).replace(_MINUS, "")
    kept = [letter for letter in letters if unicodedata.category(letter) not in _IGNORED]
    is_number = all(letter.isdecimal() for letter in kept)
    return "".join(str(unicodedata.decimal(letter)) for letter in kept) if is_number else typed.strip()
