"""Holds answers against the plan, and afterwards the store against the answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import Connection, select

from cluster.bench.job import Answer, Driven
from cluster.bench.plan import Lane, PlannedScan
from domain.door.model import Outcome, ScanAnswer, ShownMember
from domain.door.tables import open_visits, scans

_OK = 200
_CLOCK = timedelta(milliseconds=50)  # between this process's reading of the clock and the generator's
_EXAMPLES = 5
_decoder = msgspec.json.Decoder(ScanAnswer)


@dataclass(slots=True)
class Checked:
    """What became of a measurement's answers.

    Args:
        answers: those that could be read, with who asked.
        errors: requests without an answer.
        wrong: answers that say something else than they must.
        unchecked: answers about members of whom an earlier answer was lost, so that it is not known where they are.
        examples: a few of what went wrong, in words.
    """

    answers: list[tuple[UUID, ScanAnswer]] = field(default_factory=list)
    errors: int = 0
    wrong: int = 0
    unchecked: int = 0
    examples: list[str] = field(default_factory=list)

    def tell(self, example: str) -> None:
        """Keep an example, if there are not enough of them."""
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example)


def check(plan: Sequence[Lane], driven: Driven, capacity: int) -> Checked:
    """Hold every answer against what it must be.

    Args:
        plan: what was asked, lane by lane.
        driven: what was answered.
        capacity: of every gym.
    """
    checked = Checked()
    began = datetime.fromtimestamp(driven.began, UTC)
    for lane, answers in zip(plan, driven.lanes, strict=True):
        lost: set[UUID] = set()
        # A lane may have more scans planned than were sent.
        for planned, answer in zip(lane, answers, strict=False):
            if answer.status != _OK:
                checked.errors += 1
                checked.tell(f"{answer.status} {answer.body[:160].decode(errors='replace')}")
                lost.add(planned.about)
                continue
            given = read(answer)
            if isinstance(given, ScanAnswer):
                checked.answers.append((planned.device.id, given))
            if planned.about in lost:
                checked.unchecked += 1
            elif faults := _faults(planned, answer, given, began, capacity):
                checked.wrong += 1
                checked.tell(f"{planned.direction}, expected {planned.expected.outcome}: {', '.join(faults)}")
    return checked


def read(answer: Answer) -> ScanAnswer | str:
    """What a body says; in words what is wrong with it, where it is no answer."""
    try:
        return _decoder.decode(answer.body)
    except msgspec.DecodeError as error:
        return str(error)


def _faults(
    planned: PlannedScan, answer: Answer, given: ScanAnswer | str, began: datetime, capacity: int
) -> Sequence[str]:
    if isinstance(given, str):
        return [given]
    sent = began + timedelta(seconds=answer.sent)
    within = sent - _CLOCK <= given.decided_at <= sent + timedelta(seconds=answer.took) + _CLOCK
    return [*differences(planned, given, capacity), *([] if within else [f"decided_at is {given.decided_at}"])]


def differences(
    planned: PlannedScan, given: ScanAnswer, capacity: int, *, may_be_replayed: bool = False
) -> Iterator[str]:
    """What an answer says that it must not. The count of those inside is checked at the end, when nobody moves.

    Args:
        may_be_replayed: the scan was sent before, and it is not known whether it was decided then.
    """
    expected = planned.expected
    member = expected.member
    shown = ShownMember(member.id, member.name, None) if member else None
    for name, wanted, said in (
        ("scan_id", planned.scan_id, given.scan_id),
        ("outcome", expected.outcome, given.outcome),
        ("reason", expected.reason, given.reason),
        ("remedy", expected.remedy, given.remedy),
        ("member", shown, given.member),
        ("gym_id", planned.gate.gym_id, given.gym_id),
        ("capacity", capacity, given.capacity),
        ("replayed", False, given.replayed and not may_be_replayed),
    ):
        if wanted != said:
            yield f"{name} is {said}, not {wanted}"
    if not 0 <= given.occupancy <= given.capacity:
        yield f"occupancy is {given.occupancy} of {given.capacity}"


@dataclass(frozen=True, slots=True)
class Stored:
    """How the store compares with the answers that were given. All but the first two must be 0."""

    answered: int
    stored: int
    lost: int
    stored_otherwise: int
    wrongly_inside: int


def compare_with_store(
    connection: Connection,
    gym_ids: Sequence[UUID],
    answers: Sequence[tuple[UUID, ScanAnswer]],
    *,
    all_answered: bool,
    since: UUID | None = None,
) -> Stored:
    """Look every answer up, and whether those are inside who were let in last.

    Args:
        connection: to the stack's store.
        gym_ids: whose scans to read.
        answers: every answer that was given, with who asked.
        all_answered: whether there was one for every request; else who is inside cannot be known.
        since: an identifier older than every scan that was asked for, where the gyms have a past that is left out.
    """
    table = scans.c
    rows = connection.execute(
        select(
            table.scan_id,
            table.asked_by,
            table.outcome,
            table.reason,
            table.remedy,
            table.gym_id,
            table.occupancy,
            table.capacity,
            table.decided_at,
        ).where(table.gym_id.in_(gym_ids), *([table.id > since] if since else []))
    )
    stored = {(row.scan_id, row.asked_by): tuple(row)[2:] for row in rows}
    lost = otherwise = 0
    for asked_by, answer in answers:
        kept = stored.get((answer.scan_id, asked_by))
        if kept is None:
            lost += 1
        elif kept != (
            answer.outcome,
            answer.reason,
            answer.remedy,
            answer.gym_id,
            answer.occupancy,
            answer.capacity,
            answer.decided_at,
        ):
            otherwise += 1
    wrongly = _wrongly_inside(connection, gym_ids, answers) if all_answered else 0
    return Stored(len(answers), len(stored), lost, otherwise, wrongly)


def _wrongly_inside(connection: Connection, gym_ids: Sequence[UUID], answers: Sequence[tuple[UUID, ScanAnswer]]) -> int:
    inside: dict[UUID, UUID] = {}
    # A member's answers are in order here: measurements follow one another, and in each a member has one lane.
    for _, answer in answers:
        if answer.member is None:
            continue
        if answer.outcome is Outcome.ENTERED:
            inside[answer.member.id] = answer.gym_id
        elif answer.outcome is Outcome.LEFT:
            inside.pop(answer.member.id, None)
    table = open_visits.c
    rows = connection.execute(select(table.member_id, table.gym_id).where(table.gym_id.in_(gym_ids)))
    return len(set(inside.items()) ^ {(row.member_id, row.gym_id) for row in rows})
