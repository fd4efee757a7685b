"""Codes that people type."""

import unicodedata

_IGNORED = {"Cc", "Cf", "Pd", "Zl", "Zp", "Zs"}  # spaces, line ends, zero-width characters, hyphens and dashes


def normal_code(typed: str) -> str:
    """A code as it is compared: `123 456`, `123-456` and full-width or other decimal digits are `123456`."""
    kept = (letter for letter in unicodedata.normalize("NFKC", typed) if unicodedata.category(letter) not in _IGNORED)
    return "".join(str(unicodedata.decimal(letter, letter)) for letter in kept)
