"""Finds dead letters: the newest, those of given ids, those not sent again yet; and converts them to JSON."""

import heapq
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from cluster.errors import CommandError
from integrations.kafka.dead_letter_reader import DeadLetterReader, LetterId, ReplayedMark, StoredLetter

NO_LETTER = "not a dead letter"


@dataclass(frozen=True, slots=True)
class FoundLetter:
    """A stored dead letter, and when it was sent again; None where it was not."""

    stored: StoredLetter
    replayed_at: datetime | None

    @property
    def reason(self) -> str:
        """Why the message could not be handled."""
        return _reason(self.stored)

    @property
    def value(self) -> bytes | None:
        """The value of the message that could not be handled."""
        return self.stored.letter.value if self.stored.letter else self.stored.raw


def newest(reader: DeadLetterReader, limit: int, after: LetterId | None, reason: str) -> list[FoundLetter]:
    """Dead letters, newest first.

    Args:
        reader: of the topic.
        limit: maximum number of results.
        after: only letters older than this one.
        reason: only letters with this text in their reason, in any case.
    """
    before = _age(find(reader, {after})[after].stored) if after is not None else None
    marks: dict[LetterId, datetime] = {}
    selected = (
        letter
        for letter in _letters(reader, marks)
        if (before is None or _age(letter) < before) and reason.casefold() in _reason(letter).casefold()
    )
    return [FoundLetter(letter, marks.get(letter.id)) for letter in heapq.nlargest(limit, selected, key=_age)]


def find(reader: DeadLetterReader, ids: set[LetterId]) -> dict[LetterId, FoundLetter]:
    """The letters of these ids.

    Raises:
        CommandError: one of them does not exist.
    """
    marks: dict[LetterId, datetime] = {}
    found = {letter.id: letter for letter in _letters(reader, marks) if letter.id in ids}
    if missing := sorted(ids - found.keys()):
        raise CommandError(f"there is no letter {missing[0]}", "list them with `fitmonitor kafka dead-letters`")
    return {id_: FoundLetter(letter, marks.get(id_)) for id_, letter in found.items()}


def not_replayed(reader: DeadLetterReader, reason: str) -> set[LetterId]:
    """The letters that can be sent again and were not yet. `reason` as in `newest`."""
    marks: dict[LetterId, datetime] = {}
    ids = {
        letter.id
        for letter in _letters(reader, marks)
        if letter.letter is not None and reason.casefold() in letter.letter.reason.casefold()
    }
    return ids - marks.keys()


def letter_as_json(letter: FoundLetter, *, with_value: bool) -> dict[str, Any]:
    """The letter as plain data."""
    stored, message = letter.stored, letter.stored.letter
    document: dict[str, Any] = {
        "id": str(stored.id),
        "at": stored.written_at,
        "reason": letter.reason,
        "topic": message and message.topic,
        "partition": message and message.partition,
        "offset": message and message.offset,
        "key": None if stored.key is None else stored.key.decode(errors="backslashreplace"),
        "bytes": None if letter.value is None else len(letter.value),
        "whole": message is None or message.whole,
        "replayed_at": letter.replayed_at,
    }
    if with_value:
        document["value"] = decoded(letter.value)
        document["value_base64"] = None if letter.value is None else b64encode(letter.value).decode()
    return document


def decoded(value: bytes | None) -> Any:  # noqa: ANN401 - whatever JSON can say
    """A value decoded from JSON; None where it is not JSON."""
    try:
        return None if value is None else msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _letters(reader: DeadLetterReader, marks: dict[LetterId, datetime]) -> Iterator[StoredLetter]:
    """All letters. `marks` gets the ids of those that were sent again, and when."""
    for entry in reader.entries():
        if isinstance(entry, ReplayedMark):
            marks[entry.letter] = entry.at
        else:
            yield entry


def _reason(letter: StoredLetter) -> str:
    return letter.letter.reason if letter.letter else NO_LETTER


def _age(letter: StoredLetter) -> tuple[datetime, LetterId]:
    return letter.written_at, letter.id
