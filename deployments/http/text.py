"""Text that people write, normalised once where it comes in: trimmed, Unicode NFC, without control characters."""

import unicodedata

from pydantic import BeforeValidator

from domain.identity.addresses import normal_address
from domain.text import kept

_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BREAKS = frozenset("\n\t")
# They turn the order of letters around, of the text after them too.
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def line(text: str) -> str:
    """A text of one line; empty where nothing of it can be seen. Joiners and wide spaces within words stay.

    Raises:
        ValueError: it has a control character.
    """
    return _normalised(text, frozenset())


def paragraphs(text: str) -> str:
    """A text that may have several lines; otherwise as `line`.

    Raises:
        ValueError: it has another control character.
    """
    return _normalised(text.replace("\r\n", "\n"), _BREAKS)


def _normalised(text: str, allowed: frozenset[str]) -> str:
    for letter in text.strip():
        if letter in _TURNS or (unicodedata.category(letter) in _CONTROLS and letter not in allowed):
            raise ValueError(f"must not contain the control character U+{ord(letter):04X}")
    return kept(text)


def _line(value: object) -> object:
    return line(value) if isinstance(value, str) else value


def _paragraphs(value: object) -> object:
    return paragraphs(value) if isinstance(value, str) else value


def _address(value: object) -> object:
    return normal_address(value) if isinstance(value, str) else value


# Before the limits of its length, which are of the normalised text; text that cannot be seen is empty to them.
LINE = BeforeValidator(_line)
PARAGRAPHS = BeforeValidator(_paragraphs)
ADDRESS = BeforeValidator(_address)
