"""Dead letters as a person or a program reads them."""

import heapq
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from cluster.errors import CommandError
from integrations.kafka.dead_letter_reader import DeadLetterReader, LetterId, ReplayedMark, StoredLetter

NO_LETTER = "this is no letter"


@dataclass(frozen=True, slots=True)
class Letter:
    """A stored letter, and when it was sent again; None when it was not."""

    stored: StoredLetter
    replayed_at: datetime | None

    @property
    def reason(self) -> str:
        """Why it is dead."""
        return self.stored.letter.reason if self.stored.letter else NO_LETTER

    @property
    def value(self) -> bytes | None:
        """The bytes of the message that could not be handled."""
        return self.stored.letter.value if self.stored.letter else self.stored.raw


def newest(reader: DeadLetterReader, limit: int, after: LetterId | None, reason: str) -> list[Letter]:
    """Letters, the newest first.

    Args:
        reader: reads them.
        limit: how many at most.
        after: only such as are older than this one.
        reason: only such as have these words in their reason, in any case.
    """
    before = _age(find(reader, {after})[after].stored) if after is not None else None
    marks: dict[LetterId, datetime] = {}
    wanted = (
        letter
        for letter in _letters(reader, marks)
        if (before is None or _age(letter) < before) and reason.casefold() in Letter(letter, None).reason.casefold()
    )
    return [Letter(letter, marks.get(letter.id)) for letter in heapq.nlargest(limit, wanted, key=_age)]


def find(reader: DeadLetterReader, ids: set[LetterId]) -> dict[LetterId, Letter]:
    """The letters of these ids.

    Raises:
        CommandError: one of them is not there.
    """
    marks: dict[LetterId, datetime] = {}
    found = {letter.id: letter for letter in _letters(reader, marks) if letter.id in ids}
    if missing := sorted(ids - found.keys()):
        raise CommandError(f"there is no letter {missing[0]}", "fitmonitor kafka dead-letters lists them")
    return {id_: Letter(letter, marks.get(id_)) for id_, letter in found.items()}


def waiting(reader: DeadLetterReader, reason: str) -> set[LetterId]:
    """The letters that can be sent again and were not."""
    marks: dict[LetterId, datetime] = {}
    ids = {
        letter.id
        for letter in _letters(reader, marks)
        if letter.letter is not None and reason.casefold() in letter.letter.reason.casefold()
    }
    return ids - marks.keys()


def plain(letter: Letter, *, whole: bool) -> dict[str, Any]:
    """For programs; with `whole` the value too."""
    stored, said = letter.stored, letter.stored.letter
    shown: dict[str, Any] = {
        "id": str(stored.id),
        "at": stored.written_at,
        "reason": letter.reason,
        "topic": said and said.topic,
        "partition": said and said.partition,
        "offset": said and said.offset,
        "key": None if stored.key is None else stored.key.decode(errors="backslashreplace"),
        "bytes": None if letter.value is None else len(letter.value),
        "whole": said is None or said.whole,
        "replayed_at": letter.replayed_at,
    }
    if whole:
        shown["value"] = as_json(letter.value)
        shown["value_base64"] = None if letter.value is None else b64encode(letter.value).decode()
    return shown


def as_json(value: bytes | None) -> Any:  # noqa: ANN401 - whatever JSON can say
    """What a value says, when it is JSON; otherwise None."""
    try:
        return None if value is None else msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def visible(text: bytes | str, width: int | None = None) -> str:
    """Foreign text on one line, with nothing in it that a terminal would take for an order."""
    if isinstance(text, bytes):
        text = text[: 4 * width if width else None].decode(errors="backslashreplace")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: width and width + 1])
    return text if width is None or len(text) <= width else text[: width - 1] + "…"


def _letters(reader: DeadLetterReader, marks: dict[LetterId, datetime]) -> Iterator[StoredLetter]:
    for entry in reader.entries():
        if isinstance(entry, ReplayedMark):
            marks[entry.letter] = entry.at
        else:
            yield entry


def _age(letter: StoredLetter) -> tuple[datetime, LetterId]:
    return letter.written_at, letter.id
