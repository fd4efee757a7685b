"""Names shortened to the length that is stored."""

import unicodedata

from domain.text import normalized_text

LONGEST_NAME = 200  # of `users.name`, in code points, which is what both stores count
_JOINER = "\u200d"


def fitting_name(text: str) -> str:
    """A name as it is stored."""
    return fitting(normalized_text(text), LONGEST_NAME)


def fitting(text: str, most: int) -> str:
    """The beginning of a text, at most `most` code points. Characters of several code points are not cut."""
    if len(text) <= most:
        return text
    end = most
    while end and _belongs_to_previous(text, end):
        end -= 1
    return text[: end or most].rstrip()


def _belongs_to_previous(text: str, at: int) -> bool:
    """Whether a code point forms one character with the previous one (the common cases of Unicode annex 29)."""
    letter, previous = text[at], text[at - 1]
    if unicodedata.category(letter).startswith("M") or _JOINER in (letter, previous) or _is_modifier(letter):
        return True
    if not _is_regional(letter):
        return False
    before = 0  # two of them are one flag
    while before < at and _is_regional(text[at - before - 1]):
        before += 1
    return before % 2 == 1


def _is_modifier(letter: str) -> bool:
    return "\U0001f3fb" <= letter <= "\U0001f3ff" or "\U000e0020" <= letter <= "\U000e007f"  # skins; tags of flags


def _is_regional(letter: str) -> bool:
    return "\U0001f1e6" <= letter <= "\U0001f1ff"
