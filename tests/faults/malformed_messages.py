"""What nobody of ours writes on the topics, and what may lie there all the same."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

import msgspec

from domain.door.model import AnnulRequest, ScanRequest
from domain.ids import new_id
from integrations.kafka.messages import AnnulCommand, ReplyTo, ScanCommand, encode

NEARLY_1_MIB = 990_000  # the client's own limit is a million, with the key and the headers
DEEP = b"[" * 100_000 + b"]" * 100_000

Change = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Odd:
    """A message, and how it is put on its topic; the key is the gym's unless another is named."""

    name: str
    value: bytes | None
    key: bytes | None = None
    keyless: bool = False
    partition: int | None = None
    headers: list[tuple[str, str | bytes | None]] = field(default_factory=list)


def undecodable(good: bytes) -> list[Odd]:
    """Messages that are no command.

    Args:
        good: the value of a scan that would be decided; none of these may be.
    """
    values = {
        "an empty value": b"",
        "no value": None,
        "no UTF-8": b"\xff\xfe\x00",
        "no UTF-8 within a string": _set(good, "replica", b'"\xff"'),
        "no JSON": b"garbage",
        "half of a command": good[: len(good) // 2],
        "two commands": good + good,
        "JSON of another shape": b'{"hello":"world"}',
        "a list": b"[" + good + b"]",
        "a number": b"7",
        "null": b"null",
        "an unknown type": _set(good, "type", b'"dance"'),
        "no type": _set(good, "type", b"null"),
        "an unknown version": _set(good, "version", b"2"),
        "a huge number": _set(good, "partition", b"9" * 5000),
        "a number beyond a double": _set(good, "partition", b"1e999"),
        "a partition below zero": _set(good, "partition", b"-1"),
        "a partition beyond 31 bits": _set(good, "partition", b"2147483648"),
        "deep nesting": DEEP,
        "deep nesting beside what is known": good[:-1] + b',"more":' + b"[" * 5000 + b"]" * 5000 + b"}",
        "nearly 1 MiB of nothing": b"\0" * NEARLY_1_MIB,
        "nearly 1 MiB of JSON": b'{"type":"scan","more":"' + b"x" * NEARLY_1_MIB + b'"}',
        "a scan id of nearly 1 MiB": _set(good, "scan_id", b'"' + b"x" * NEARLY_1_MIB + b'"'),
        "an id that is no UUID": _set(good, "gym_id", b'"gym-1"'),
        "an id that is a number": _set(good, "command_id", b"7"),
        "a date of no calendar": _set(good, "arrived_at", b'"2026-02-30T12:00:00Z"'),
        "a date after year 9999": _set(good, "arrived_at", b'"10000-01-01T00:00:00Z"'),
        "a date of no zone's time": _set(good, "decide_by", b'"2026-01-01T25:61:00Z"'),
        "a lone surrogate": _set(good, "scan_id", b'"\\ud800"'),
        "a direction that there is not": _set(good, "direction", b'"sideways"'),
        "a genuine pass that names nobody": _set(good, "member_id", b"null"),
        "a genuine pass of no time": _set(good, "issued_at", b"null"),
    }
    odd = [Odd(name, value) for name, value in values.items()]
    garbage = b"garbage with "
    return [
        *odd,
        Odd("garbage without a key", garbage + b"no key", keyless=True),
        Odd("garbage with a key of another gym", garbage + b"a key", key=str(new_id()).encode()),
        Odd("garbage with a large key", garbage + b"a large key", key=b"k" * NEARLY_1_MIB),
        Odd("garbage with an empty key", garbage + b"an empty key", key=b""),
        Odd("garbage with headers", garbage + b"headers", headers=[("h", b"\xff"), ("h", b"2")]),
        Odd("garbage on a partition of its own choice", garbage + b"a partition", partition=0),
    ]


def undecidable(scan: ScanRequest, annulment: AnnulRequest, reply_to: ReplyTo) -> list[ScanCommand | AnnulCommand]:
    """Commands that can be read, and that the store refuses to keep. Nothing of them may remain.

    Args:
        scan: one that would let its member in.
        annulment: of a scan that was decided.
        reply_to: where whoever asks is told.
    """
    before_the_first_year = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    after_the_last_year = datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-14)))
    scans = [
        replace(scan, scan_id="x" * 65),
        replace(scan, scan_id="y" * 15_000),
        replace(scan, scan_id="é"),
        replace(scan, scan_id="\N{DOOR}"),
        replace(scan, arrived_at=before_the_first_year),
        replace(scan, scan_id=_new(), arrived_at=after_the_last_year),
        replace(scan, scan_id=_new(), scanned_at=datetime(2026, 1, 1)),  # noqa: DTZ001 - no zone is the case
        replace(scan, scan_id=_new(), decide_by=datetime(2036, 1, 1)),  # noqa: DTZ001 - no zone is the case
    ]
    annulments = [replace(annulment, reason="r" * 201), replace(annulment, scan_id="z" * 65)]
    return [
        *(ScanCommand(new_id(), reply_to, one) for one in scans),
        *(AnnulCommand(new_id(), reply_to, one) for one in annulments),
    ]


def no_replies(replica: str) -> list[Odd]:
    """Messages on `door-replies` that tell nobody anything."""
    good = msgspec.json.encode({"type": "door_replies", "replica": replica, "replies": [], "version": 1})
    reply = b'[{"command_id":"%b","kind":"%b","body":%b}]'
    id_ = str(new_id()).encode()
    values = {
        "an empty value": b"",
        "no value": None,
        "no JSON": b"garbage",
        "no UTF-8": b"\xff",
        "no UTF-8 within a string": _set(good, "replica", b'"\xff"'),
        "deep nesting": DEEP,
        "deep nesting beside what is known": good[:-1] + b',"more":' + DEEP + b"}",
        "a deep body": good.replace(b"[]", reply % (id_, b"scan_answer", DEEP)),
        "another shape": b'{"replica":"%b"}' % replica.encode(),
        "an unknown type": _set(good, "type", b'"dance"'),
        "an unknown version": _set(good, "version", b"2"),
        "a kind that there is not": good.replace(b"[]", reply % (id_, b"dance", b"{}")),
        "an id that is no UUID": good.replace(b"[]", reply % (b"x", b"scan_answer", b"{}")),
        "a reply that nobody awaits": good.replace(b"[]", reply % (id_, b"scan_answer", b"{}")),
        "replies for another replica": good.replace(replica.encode(), b"gateway-2"),
        "a lone surrogate": _set(good, "replica", b'"\\udfff"'),
        "nearly 1 MiB": good[:-1] + b',"more":"' + b"x" * NEARLY_1_MIB + b'"}',
    }
    return [Odd(name, value) for name, value in values.items()]


def as_odd(command: ScanCommand | AnnulCommand, name: str = "") -> Odd:
    """A command as the message that carries it."""
    return Odd(name or repr(command)[:200], encode(command))


def _set(value: bytes, name: str, to: bytes) -> bytes:
    changed, times = re.subn(
        rb'"%b":("[^"]*"|[0-9]+)' % name.encode(), lambda _: b'"%b":%b' % (name.encode(), to), value
    )
    assert times == 1, name
    return changed


def _new() -> str:
    return str(new_id())
