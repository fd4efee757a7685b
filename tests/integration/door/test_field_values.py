"""Any value in any field of any command of the door, beside doors whose answers stay right and in time.

Whatever is sent is answered by itself: refused before it is queued, or decided. Nothing of it lands in the dead
letters, no other element of an upload has another status for it, and no other gym waits.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from domain.door.reconcile import disagreements
from domain.gyms.model import GateDirections
from domain.identity.model import Role
from domain.ids import new_id
from tests.integration.door.scan_pipeline import LONG_DAYS, HealthyDoor, ScanPipeline, is_late
from tests.unit.deployments.harness import GymWithGate

DOORS = 3
SELDOM = 100
ABSENT = object()
ANSWERED = {httpx.codes.OK, httpx.codes.ACCEPTED}
_OVERFLOWS = [
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "0999-06-01T00:00:00Z",
    "1899-12-31T23:59:59Z",
    "2026-03-02T12:00:00",
    "2026-03-02",
    "2026-02-29T12:00:00Z",
    "2026-03-02T24:00:00Z",
    "2026-12-31T23:59:60Z",
    "10000-01-01T00:00:00Z",
    "-0001-01-01T00:00:00Z",
    "1772452800",
]
_zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_times = st.one_of(
    st.sampled_from(_OVERFLOWS),
    st.datetimes().map(datetime.isoformat),
    st.datetimes(timezones=_zones | st.just(UTC)).map(datetime.isoformat),
)
# Lone surrogates and zeros among them: what a scanner reads is whatever it is.
_texts = st.one_of(
    st.text(max_size=80),
    st.text(st.characters(codec=None), max_size=10),
    st.sampled_from(["", " ", "\0", "\ud800", "\udfff\ud800", "\N{DOOR}", "a\0b", "x" * 65, "x" * 201, "y" * 2049]),
)
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400]),
    st.floats(),
    _texts,
    _times,
    st.uuids().map(str),
)
# Many: what is worked out anew with each upload are all of its member's.
MEMBERS = 500
_members = st.integers(0, MEMBERS - 1)
_anything = st.one_of(
    _scalars,
    st.just(ABSENT),
    st.lists(_scalars, max_size=3),
    st.dictionaries(st.text(max_size=5), _scalars, max_size=3),
)
# What lies nearest to what a field takes; drawn as often as all the rest.
_NEAR: dict[str, st.SearchStrategy[object]] = {
    "scanned_at": _times,
    "code": _texts,
    "scan_id": _texts,
    "reason": _texts,
    "counted": st.integers() | st.floats(),
}


@dataclass(frozen=True)
class Victim:
    """The gym at which everything odd is tried."""

    at: GymWithGate
    members: list[UUID]
    machine: UUID
    staff: dict[str, str]
    user: dict[str, str]


@dataclass(frozen=True)
class Sent:
    """A request, and whether a good element is the last of its upload."""

    path: str
    body: bytes
    headers: dict[str, str]
    is_upload: bool = False


@st.composite
def changed(draw: st.DrawFn, good: Mapping[str, object]) -> dict[str, Any]:
    """A body with anything in one or two of its fields, and perhaps with a field that nobody knows."""
    fields = draw(st.lists(st.sampled_from(sorted(good)), min_size=1, max_size=2, unique=True))
    # Not by `|`, which makes one choice of many of all that it joins.
    body = dict(good) | {
        field: draw(_NEAR.get(field, _anything) if draw(st.booleans()) else _anything) for field in fields
    }
    if draw(st.integers(0, 9)) == 0:
        body[draw(st.text(max_size=8))] = draw(_scalars)
    return {name: value for name, value in body.items() if value is not ABSENT}


def scan_of(path: ScanPipeline, victim: Victim, member: int) -> dict[str, object]:
    return {
        "code": path.code(victim.members[member]),
        "gate_id": str(victim.at.gate),
        "direction": "auto",
        "scan_id": str(new_id()),
        "scanned_at": datetime.now(UTC).isoformat(),
    }


def element_of(path: ScanPipeline, victim: Victim, member: int, direction: str = "enter") -> dict[str, object]:
    return scan_of(path, victim, member) | {"direction": direction}


@st.composite
def scans(draw: st.DrawFn, path: ScanPipeline, victim: Victim) -> Sent:
    return Sent("/scans", _json(draw(changed(scan_of(path, victim, draw(_members))))), draw(_by(victim)))


@st.composite
def uploads(draw: st.DrawFn, path: ScanPipeline, victim: Victim) -> Sent:
    elements = [draw(changed(element_of(path, victim, draw(_members)))) for _ in range(draw(st.integers(2, 6)))]
    if draw(st.booleans()):
        elements.insert(0, draw(_anything.filter(lambda value: value is not ABSENT)))
    elements.append(element_of(path, victim, draw(_members), "leave"))
    return Sent("/scans/offline", _json({"scans": elements}), draw(_by(victim)), is_upload=True)


@st.composite
def annulments(draw: st.DrawFn, path: ScanPipeline, victim: Victim) -> Sent:  # noqa: ARG001 - as the others
    known = st.sampled_from([str(new_id()), "~!a/b", ".", "%00"])
    scan_id = draw(known | st.text(st.characters(codec="utf-8"), min_size=1, max_size=70))
    body = draw(changed({"reason": "fuzzed", "gate_id": str(victim.at.gate)}))
    return Sent(f"/scans/{quote(scan_id, safe='')}/annul", _json(body), draw(_by(victim)))


@st.composite
def head_counts(draw: st.DrawFn, path: ScanPipeline, victim: Victim) -> Sent:  # noqa: ARG001 - as the others
    body = draw(changed({"counted": draw(st.integers(0, 4)), "reason": "fuzzed", "count_id": str(new_id())}))
    return Sent(f"/gyms/{victim.at.gym}/head-counts", _json(body), victim.staff)


@st.composite
def machine_uses(draw: st.DrawFn, path: ScanPipeline, victim: Victim) -> Sent:  # noqa: ARG001 - as the others
    machine = draw(
        st.just(str(victim.machine)) | st.uuids().map(str) | st.text(st.characters(codec="utf-8"), min_size=1)
    )
    action = draw(st.sampled_from(["use", "release"]))
    body = draw(changed({"request_id": str(new_id())}))
    return Sent(f"/machines/{quote(machine, safe='')}/{action}", _json(body), victim.user)


@st.composite
def broken(draw: st.DrawFn, path: ScanPipeline, victim: Victim) -> Sent:
    """A good body of any command, of which some bytes are others."""
    sent = draw(
        st.sampled_from([scans, uploads, annulments, head_counts, machine_uses]).flatmap(
            lambda command: command(path, victim)
        )
    )
    body = bytearray(sent.body)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body) - 1))
        body[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
        if not body:
            break
    return Sent(sent.path, bytes(body), sent.headers)


# Uploads twice: they have many scans each, and nothing else of a device is read so late.
COMMANDS: list[Callable[[ScanPipeline, Victim], st.SearchStrategy[Sent]]] = [
    *(scans, uploads, uploads, annulments, head_counts, machine_uses, broken)
]


def _by(victim: Victim) -> st.SearchStrategy[dict[str, str]]:
    return st.sampled_from([victim.at.headers, victim.at.headers, victim.staff])


def _json(body: object) -> bytes:
    return json.dumps(body).encode()


def _victim(path: ScanPipeline) -> Victim:
    at, (user, *members) = (
        path.harness.gym_with_gate(GateDirections.BOTH),
        path.world.members(MEMBERS + 1, days=LONG_DAYS),
    )
    return Victim(
        at,
        members,
        path.world.machine(at.gym),
        path.harness.bearer(Role.STAFF),
        path.harness.bearer(Role.USER, user_id=user),
    )


async def _send(path: ScanPipeline, sent: Sent) -> None:
    headers = sent.headers | {"Content-Type": "application/json"}
    answer = await path.client.post(sent.path, content=sent.body, headers=headers)
    if is_late(answer):
        return
    assert answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR, answer.text
    assert answer.status_code in ANSWERED or answer.json()["code"], answer.text
    if not sent.is_upload:
        return
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    items = answer.json()["items"]
    assert len(items) == len(json.loads(sent.body)["scans"])
    assert items[-1]["status"] in {"recorded", "queued"}, items
    assert "not_taken" not in {item["status"] for item in items}, items


def _try(path: ScanPipeline, runner: asyncio.Runner, examples: int, *, always_the_same: bool = False) -> None:
    victim = _victim(path)
    doors = [HealthyDoor(path.harness.gym_with_gate()) for _ in range(DOORS)]

    async def beside(sent: list[Sent]) -> None:
        await asyncio.gather(*(_send(path, one) for one in sent), *(path.come_and_go(door) for door in doors))

    @settings(
        max_examples=examples,
        derandomize=always_the_same,
        database=None,
        deadline=None,
        phases=[Phase.generate],  # what was sent before an example is a part of it: no search for a smaller one
        suppress_health_check=list(HealthCheck),
    )
    @given(sent=st.lists(st.one_of([command(path, victim) for command in COMMANDS]), min_size=2, max_size=5))
    def run(sent: list[Sent]) -> None:
        for one in sent:
            note(f"POST {one.path} {one.body!r}")
        runner.run(beside(sent))
        assert path.loop.stats.dead_letters == 0

    run()
    assert path.loop.alive
    # With one element that stopped a whole call it was one in twenty and more.
    assert path.late <= max(1, path.asked / SELDOM), (path.late, path.asked)
    with path.world.store.reading() as connection:
        assert disagreements(connection) == []


def test_any_value_of_any_field_disturbs_no_other_door(path: ScanPipeline, runner: asyncio.Runner) -> None:
    _try(path, runner, examples=60, always_the_same=True)


@pytest.mark.soak("stateful")
@pytest.mark.timeout(900)
def test_any_value_of_any_field_disturbs_no_other_door_at_length(path: ScanPipeline, runner: asyncio.Runner) -> None:
    _try(path, runner, examples=700)
