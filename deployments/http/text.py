"""Normalises text from people at the edge: trimmed, Unicode NFC, no control characters."""

import unicodedata

from pydantic import BeforeValidator

from domain.identity.email_addresses import normal_address
from domain.text import normalized_text

_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BREAKS = frozenset("\n\t")
# Bidirectional controls also change the direction of the text that follows.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def line(text: str) -> str:
    """Normalise a text of one line. Joiners and wide spaces inside words stay; invisible text becomes empty.

    Raises:
        ValueError: the text has a control character.
    """
    return _normalised(text, frozenset())


def paragraphs(text: str) -> str:
    """Normalise a text that may have several lines and tabs; otherwise like `line`.

    Raises:
        ValueError: the text has another control character.
    """
    return _normalised(text.replace("\r\n", "\n"), _BREAKS)


def _normalised(text: str, allowed: frozenset[str]) -> str:
    for letter in text.strip():
        if letter in _BIDI_CONTROLS or (unicodedata.category(letter) in _CONTROLS and letter not in allowed):
            raise ValueError(f"must not contain the control character U+{ord(letter):04X}")
    return normalized_text(text)


def _line(value: object) -> object:
    return line(value) if isinstance(value, str) else value


def _paragraphs(value: object) -> object:
    return paragraphs(value) if isinstance(value, str) else value


def _address(value: object) -> object:
    return normal_address(value) if isinstance(value, str) else value


# These run before the length limits, which apply to the normalised text.
LINE = BeforeValidator(_line)
PARAGRAPHS = BeforeValidator(_paragraphs)
ADDRESS = BeforeValidator(_address)
