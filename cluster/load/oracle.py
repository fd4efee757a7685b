"""The right answers: what a gate may answer to a scan, by a model of docs/door.md that shares no code with the door."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import msgspec

from cluster.load.passes import Pass
from cluster.load.world import Gate, Member, MemberKind
from domain.door.model import DoorLimits, Outcome, Reason, Remedy, ScanAnswer, ShownMember
from domain.passes import GOOD_AFTER

Decision = tuple[Outcome, Reason | None]

ENTERED: Decision = (Outcome.ENTERED, None)
LEFT: Decision = (Outcome.LEFT, None)
FULL: Decision = (Outcome.REFUSED, Reason.GYM_FULL)
USED: Decision = (Outcome.REFUSED, Reason.USED_PASS)
EXPIRED: Decision = (Outcome.REFUSED, Reason.EXPIRED_PASS)
ALREADY_INSIDE: Decision = (Outcome.REFUSED, Reason.ALREADY_INSIDE)
FORGED: Decision = (Outcome.REFUSED, Reason.UNKNOWN_PASS)
REFUSED_KINDS = {
    MemberKind.NO_MEMBERSHIP: Reason.NO_MEMBERSHIP,
    MemberKind.ENDED: Reason.MEMBERSHIP_ENDED,
    MemberKind.BANNED: Reason.BANNED,
}
REMEDIES = {
    Reason.NO_MEMBERSHIP: Remedy.BUY_MEMBERSHIP,
    Reason.MEMBERSHIP_ENDED: Remedy.RENEW,
    Reason.BANNED: Remedy.ASK_STAFF,
    Reason.GYM_FULL: Remedy.WAIT,
    Reason.USED_PASS: Remedy.REFRESH_PASS,
    Reason.EXPIRED_PASS: Remedy.REFRESH_PASS,
    Reason.UNKNOWN_PASS: Remedy.OPEN_APP,
    Reason.ALREADY_INSIDE: Remedy.LEAVE_FIRST,
    Reason.TOO_LATE: Remedy.SCAN_AGAIN,
}
_REPEAT_WINDOW = DoorLimits().repeat_window
_MAX_EXAMPLES = 5
_decoder = msgspec.json.Decoder(ScanAnswer)


@dataclass(frozen=True, slots=True)
class Expected:
    """The right answer to a scan.

    Args:
        decisions: any of them is right.
        member: whom the answer names; None: nobody.
        replayed: whether it is an earlier answer; None: either.
        until: what holds changes after this moment; None: it does not change.
        afterwards: what holds then.
    """

    decisions: frozenset[Decision]
    member: Member | None
    replayed: bool | None = False
    until: datetime | None = None
    afterwards: "Expected | None" = None

    def at(self, answered_at: datetime) -> "Expected":
        """What holds for an answer that was received at a moment."""
        is_over = self.until is not None and answered_at > self.until
        return self.afterwards if is_over and self.afterwards is not None else self


def entry(member: Member, shown: Pass, *, may_be_full: bool) -> Expected:
    """A member enters with a valid pass.

    Args:
        may_be_full: only the door knows whether there is a place.
    """
    reason = REFUSED_KINDS.get(member.kind)
    if reason is not None:
        return _until_expired(Expected(frozenset({(Outcome.REFUSED, reason)}), member), shown)
    return _until_expired(Expected(frozenset({ENTERED, FULL} if may_be_full else {ENTERED}), member), shown)


def exit_(member: Member) -> Expected:
    """Somebody leaves: never refused."""
    return Expected(frozenset({LEFT}), member)


def held_up(member: Member, entered_at: datetime) -> Expected:
    """A phone is shown again at the gate that has just admitted its owner."""
    later = Expected(frozenset({ENTERED, ALREADY_INSIDE, USED, EXPIRED}), member, replayed=None)
    until = entered_at + _REPEAT_WINDOW
    return Expected(frozenset({ENTERED}), member, replayed=True, until=until, afterwards=later)


def copied(member: Member, shown: Pass, shown_at: datetime) -> Expected:
    """A pass that has admitted its owner is shown at another gate: used, or expired by its age."""
    if shown_at > shown.issued_at + GOOD_AFTER:
        return stale(member)
    return _until_expired(Expected(frozenset({USED}), member), shown)


def passed_back(member: Member, shown: Pass) -> Expected:
    """Another valid pass of somebody who is inside is shown at another gate."""
    return _until_expired(Expected(frozenset({ALREADY_INSIDE}), member), shown)


def used(member: Member) -> Expected:
    """The pass of an earlier entry, which is over."""
    return Expected(frozenset({USED}), member)


def stale(member: Member) -> Expected:
    """A pass that expired long ago."""
    return Expected(frozenset({EXPIRED}), member)


def forged() -> Expected:
    """A pass whose signature is wrong: it names nobody."""
    return Expected(frozenset({FORGED}), None)


def _until_expired(expected: Expected, shown: Pass) -> Expected:
    """A pass may have expired on its way, and then that is right as well."""
    later = replace(expected, decisions=expected.decisions | {EXPIRED})
    return replace(expected, until=shown.issued_at + GOOD_AFTER, afterwards=later)


def read_answer(body: bytes) -> ScanAnswer | str:
    """An answer; as text what is wrong with it, where it cannot be read."""
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as error:
        return str(error)


def faults(
    expected: Expected, answer: ScanAnswer, scan_id: str, gate: Gate, *, repeated: bool = False
) -> Iterator[str]:
    """What is wrong with an answer.

    Args:
        expected: as it holds for this answer.
        repeated: the scan was sent before, and may have been decided then.
    """
    decision = answer.outcome, answer.reason
    if decision not in expected.decisions:
        yield f"{_words(decision)}, not {' or '.join(sorted(map(_words, expected.decisions)))}"
    remedy = REMEDIES.get(answer.reason) if answer.reason else None
    member = expected.member
    for name, right, given in (
        ("scan_id", scan_id, answer.scan_id),
        ("remedy", remedy, answer.remedy),
        ("member", ShownMember(member.id, member.name, None) if member else None, answer.member),
        ("gym_id", gate.gym_id, answer.gym_id),
        ("capacity", gate.capacity, answer.capacity),
    ):
        if right != given:
            yield f"{name} is {given}, not {right}"
    if expected.replayed is not None and answer.replayed != expected.replayed and not repeated:
        yield f"replayed is {answer.replayed}"
    if not 0 <= answer.occupancy <= gate.capacity:
        yield f"occupancy is {answer.occupancy} of {gate.capacity}"
    if answer.reason is Reason.GYM_FULL and answer.occupancy != gate.capacity:
        yield f"full with {answer.occupancy} of {gate.capacity} inside"


def _words(decision: Decision) -> str:
    outcome, reason = decision
    return f"{outcome}: {reason}" if reason else str(outcome)


@dataclass(slots=True)
class AnswerLog:
    """Every answer of the doors, in the order in which any one member received theirs.

    Args:
        answers: with the device that scanned.
        inside: who must be inside which gym by these answers.
        admitted: how often each pass, by member and issue time, has admitted.
        unanswered: scans to which no answer is known.
        wrong: answers that the oracle rejects.
        examples: a few sentences about what went wrong.
    """

    answers: list[tuple[UUID, ScanAnswer]] = field(default_factory=list)
    inside: dict[UUID, UUID] = field(default_factory=dict)
    admitted: Counter[Pass] = field(default_factory=Counter)
    unanswered: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def admitted_twice(self) -> int:
        """How many passes have admitted more than once."""
        return sum(count > 1 for count in self.admitted.values())

    def add(self, device_id: UUID, shown: Pass, answer: ScanAnswer, *, is_held_up: bool = False) -> None:
        """Keep an answer.

        Args:
            is_held_up: the phone was still at the gate that had admitted its owner, which admits nobody again.
        """
        self.answers.append((device_id, answer))
        if answer.member is None:
            return
        if answer.outcome is Outcome.LEFT:
            self.inside.pop(answer.member.id, None)
        elif answer.outcome is Outcome.ENTERED:
            self.inside[answer.member.id] = answer.gym_id
            if not is_held_up:
                self.admitted[shown] += 1

    def add_rejection(self, status: int, body: bytes) -> None:
        """Keep, as an example, a response that is no answer.

        Args:
            status: 0 where there was no response; then `body` says why.
        """
        self.add_example(f"{status} {body[:160].decode(errors='replace')}")

    def add_fault(self, words: str) -> None:
        """Count a wrong answer."""
        self.wrong += 1
        self.add_example(words)

    def add_example(self, words: str) -> None:
        """Keep a sentence about what went wrong, while there are few of them."""
        if len(self.examples) < _MAX_EXAMPLES:
            self.examples.append(words)
