"""Codes that people type."""

import unicodedata

_IGNORED = {"Cc", "Cf", "Pd", "Zl", "Zp", "Zs"}  # spaces, line ends, zero-width characters, hyphens and dashes
_MINUS = "\N{MINUS SIGN}"  # a sign of mathematics to Unicode, a hyphen to whoever types it


def normal_code(typed: str) -> str:
    """A code as it is compared: `123 456`, `123-456` and full-width or other decimal digits are `123456`.

    Text that is no number stays as it was typed, apart from spaces around it.
    """
    letters = unicodedata.normalize("NFKC", typed).replace(_MINUS, "")
    kept = [letter for letter in letters if unicodedata.category(letter) not in _IGNORED]
    is_number = all(letter.isdecimal() for letter in kept)
    return "".join(str(unicodedata.decimal(letter)) for letter in kept) if is_number else typed.strip()
