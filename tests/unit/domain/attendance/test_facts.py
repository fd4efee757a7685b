"""Which facts the events of the door state."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest

from domain.attendance.facts import MachineUseFact, ScanFact, VisitFact, facts_of
from domain.door.events import (
    DoorEvent,
    HeadsCounted,
    MachineFreed,
    MachineUsed,
    OfflineScanRecorded,
    ScanAnnulled,
    ScanDecided,
    VisitChanged,
    VisitInferred,
    VisitReopened,
)
from domain.door.model import Inferred, Outcome
from integrations.kafka.door_events import decode_door_event

GYM, GATE, MIA, VISIT, SCAN = (uuid4() for _ in range(5))
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
ENTERED = ScanDecided(
    SCAN, GYM, GATE, MIA, Outcome.ENTERED, None, VISIT, 1, NOON, NOON, NOON, repeat=False, entered_at=NOON
)
VISIT_OF_MIA = VisitFact(VISIT, GYM, MIA, NOON, None, None, annulled=False)


def visits(event: DoorEvent) -> list[VisitFact]:
    return [fact for fact in facts_of(event) or () if isinstance(fact, VisitFact)]


def test_an_entry_is_a_scan_and_a_visit() -> None:
    scan, visit = facts_of(ENTERED) or ()
    assert isinstance(scan, ScanFact)
    assert (scan.id, scan.outcome, scan.visit_id, scan.offline, scan.annulled) == (SCAN, "entered", VISIT, False, False)
    assert visit == VISIT_OF_MIA


def test_an_exit_ends_its_visit_and_a_repeated_answer_changes_none() -> None:
    left = replace(ENTERED, outcome=Outcome.LEFT, decided_at=LATER)
    assert visits(left) == [replace(VISIT_OF_MIA, left_at=LATER)]
    assert visits(replace(ENTERED, repeat=True, entered_at=None)) == []


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            VisitInferred(uuid4(), GYM, VISIT, MIA, Inferred.FORGOTTEN, LATER, NOON),
            replace(VISIT_OF_MIA, left_at=LATER, inferred="forgotten"),
        ),
        (VisitReopened(uuid4(), GYM, VISIT, MIA, LATER, NOON), VISIT_OF_MIA),
        (
            VisitChanged(uuid4(), GYM, VISIT, None, NOON, LATER, None, annulled=True, changed_at=LATER),
            replace(VISIT_OF_MIA, member_id=None, left_at=LATER, annulled=True),
        ),
    ],
)
def test_an_event_has_the_whole_state_of_its_visit(event: DoorEvent, expected: VisitFact) -> None:
    assert facts_of(event) == [expected]


def test_a_visit_that_moves_to_another_day_is_annulled_on_the_former_day() -> None:
    yesterday = NOON - timedelta(days=1)
    moved = VisitChanged(uuid4(), GYM, VISIT, MIA, NOON, None, None, False, LATER, was_entered_at=yesterday)  # noqa: FBT003
    former, visit = visits(moved)
    assert (former.day, former.annulled) == (yesterday.date(), True)
    assert visit == VISIT_OF_MIA
    assert visits(replace(moved, was_entered_at=NOON - timedelta(hours=1))) == [VISIT_OF_MIA]


def test_an_upload_of_a_refused_scan_leaves_the_day_of_its_refusal() -> None:
    upload = OfflineScanRecorded(
        uuid4(), SCAN, GYM, GATE, MIA, Outcome.ENTERED, None, NOON, LATER, LATER, VISIT, annulled=False
    )
    (scan,) = facts_of(upload) or ()
    assert isinstance(scan, ScanFact)
    assert (scan.day, scan.scanned_at, scan.decided_at, scan.offline) == (NOON.date(), NOON, LATER, True)
    tomorrow = NOON + timedelta(days=1)
    refused, made = facts_of(replace(upload, was_decided_at=tomorrow)) or ()
    assert (refused.day, refused.annulled, made) == (tomorrow.date(), True, scan)


def test_a_use_begins_and_ends_with_its_member() -> None:
    machine, use = uuid4(), uuid4()
    began = MachineUsed(uuid4(), GYM, machine, use, NOON, MIA)
    ended = MachineFreed(uuid4(), GYM, machine, use, None, LATER, MIA, NOON)
    fact = MachineUseFact(use, GYM, machine, MIA, NOON, None, None)
    assert [facts_of(began), facts_of(ended)] == [[fact], [replace(fact, ended_at=LATER)]]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        (
            "scan_decided",
            {"gate_id": str(GATE), "outcome": "entered", "reason": None, "visit_id": None, "occupancy": 1},
        ),
        ("visit_inferred", {"visit_id": str(VISIT), "inferred": "forgotten", "left_at": NOON.isoformat()}),
        ("visit_reopened", {"visit_id": str(VISIT), "reopened_at": NOON.isoformat()}),
        ("scan_annulled", {"outcome": "entered", "occupancy": 1, "annulled_at": NOON.isoformat()}),
        ("machine_used", {"machine_id": str(GATE), "use_id": str(VISIT), "started_at": NOON.isoformat()}),
        (
            "machine_freed",
            {"machine_id": str(GATE), "use_id": str(VISIT), "inferred": None, "ended_at": NOON.isoformat()},
        ),
    ],
)
def test_an_event_of_an_older_version_is_decoded_and_states_no_facts(name: str, more: dict[str, object]) -> None:
    common: dict[str, object] = {"event_id": str(SCAN), "gym_id": str(GYM), "type": name, "version": 1}
    if not name.startswith("machine"):
        common["member_id"] = str(MIA)
    times = {"arrived_at": NOON.isoformat(), "decided_at": NOON.isoformat()} if name == "scan_decided" else {}
    event = decode_door_event(msgspec.json.encode({**common, **times, **more}))
    assert facts_of(event) is None


@pytest.mark.parametrize("event", [ENTERED, HeadsCounted(uuid4(), GYM, 3, 2, NOON)])
def test_an_event_is_decoded_as_it_was_written(event: DoorEvent) -> None:
    assert decode_door_event(msgspec.json.encode(event)) == event


@pytest.mark.parametrize("value", [b"", b"{}", b'{"type":"dance"}', b"[" * 100_000, b'{"type":"scan_decided"}'])
def test_what_is_no_event_is_not_decoded(value: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_door_event(value)


def test_an_annulment_of_an_older_version_has_no_scan() -> None:
    annulled = ScanAnnulled(uuid4(), GYM, MIA, Outcome.ENTERED, 0, NOON)
    assert facts_of(annulled) is None
