"""The facts that the oracle keeps of a member, and how it replays all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.door.model import Conflict, Inferred


@dataclass(eq=False)
class Fact:
    """Somebody was let in or out.

    Args:
        at: when: decided at the gate, or made without the server.
        known_at, number: when the server learned it, and the order in which it did.
        group: the first scan of those that were given one answer.
    """

    scan_id: str
    member: UUID
    gym: UUID
    gate: UUID
    enters: bool
    at: datetime
    code: datetime
    known_at: datetime
    number: int
    offline: bool
    group: str
    annulled: bool = False


@dataclass(eq=False)
class Ruling:
    """A rule decided that a member was no longer inside a gym."""

    member: UUID
    gym: UUID
    at: datetime
    why: Inferred


@dataclass(eq=False)
class Visit:
    """A visit; `scans` are the scans that belong to it."""

    member: UUID | None
    gym: UUID
    at: datetime
    number: int
    scans: list[Fact] = field(default_factory=list)
    left_at: datetime | None = None
    left_by: str | None = None
    why: Inferred | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """A key that stays the same when one of its scans is annulled."""
        return (self.gym, self.scans[0].group) if self.scans else (self.gym, self.number)


@dataclass
class Member:
    """Everything that the oracle knows about a member."""

    id: UUID
    facts: list[Fact] = field(default_factory=list)
    rulings: list[Ruling] = field(default_factory=list)
    deleted_at: datetime | None = None
    forgotten: list[Visit] | None = None

    def visits(self) -> list[Visit]:
        """Their visits in order."""
        return self.forgotten if self.forgotten is not None else self._replay()[0]

    def conflicts(self) -> dict[str, Conflict]:
        """The conflicts of their offline scans."""
        return {} if self.forgotten is not None else self._replay()[1]

    def open_visit(self) -> Visit | None:
        """The visit that has not ended."""
        visits = self.visits()
        return visits[-1] if visits and visits[-1].left_at is None else None

    def used(self, code: datetime) -> bool:
        """Whether a code belongs to a visit that is not annulled."""
        return any(fact.code == code for visit in self.visits() for fact in visit.scans)

    def at_gates(self) -> list[Fact]:
        """Scans that gates accepted and that are not annulled."""
        facts = [fact for fact in self.facts if not fact.offline and not fact.annulled]
        return sorted(facts, key=lambda fact: (fact.at, fact.number))

    def _replay(self) -> tuple[list[Visit], dict[str, Conflict]]:
        at_gates = self.at_gates()
        replay = _Replay(self.id, at_gates)
        without_server = [fact for fact in self.facts if fact.offline and not fact.annulled]
        events: list[Fact | Ruling] = [*at_gates, *without_server, *self.rulings]
        for event in sorted(events, key=_in_time):
            if isinstance(event, Ruling):
                replay.leave(event.gym, event.at, None, event.why)
            elif not event.offline or replay.fits(event):
                replay.happened(event)
        inside = replay.inside
        if inside is not None and self.deleted_at is not None:
            replay.leave(inside.gym, max(self.deleted_at, inside.at), None, Inferred.ACCOUNT_DELETED)
        return replay.visits, replay.conflicts


class _Replay:
    """The state between two facts."""

    def __init__(self, member: UUID, at_gates: Sequence[Fact]) -> None:
        self.visits: list[Visit] = []
        self.conflicts: dict[str, Conflict] = {}
        self.inside: Visit | None = None
        self._member = member
        self._at_gates = at_gates
        self._taken = {fact.code for fact in at_gates if fact.enters and fact.group == fact.scan_id}

    def fits(self, fact: Fact) -> bool:
        """Whether an offline scan counts; records a conflict."""
        here = self.inside is not None and self.inside.gym == fact.gym
        if any(_decided_before_known(gate, fact) for gate in self._at_gates):
            self.conflicts[fact.scan_id] = Conflict.LATER_SCAN
            return False
        if fact.enters and fact.code in self._taken:
            self.conflicts[fact.scan_id] = Conflict.USED_PASS
            return False
        if fact.enters == here:
            self.conflicts[fact.scan_id] = Conflict.ALREADY_INSIDE if here else Conflict.NOT_INSIDE
        return True

    def happened(self, fact: Fact) -> None:
        """Apply an entry or an exit."""
        if not fact.enters:
            self.leave(fact.gym, fact.at, fact.scan_id, None)
            return
        self._taken.add(fact.code)
        if self.inside is not None and self.inside.scans[0].group == fact.group:
            self.inside.scans.append(fact)
        else:
            if self.inside is not None:
                here = self.inside.gym == fact.gym
                why = Inferred.ENTERED_AGAIN if here else Inferred.ENTERED_ELSEWHERE
                self.leave(self.inside.gym, fact.at, fact.scan_id, why)
            self.inside = Visit(self._member, fact.gym, fact.at, fact.number, [fact])
            self.visits.append(self.inside)

    def leave(self, gym: UUID, at: datetime, by: str | None, why: Inferred | None) -> None:
        """End the visit at this gym, if there is one."""
        if self.inside is not None and self.inside.gym == gym:
            end(self.inside, at, by, why)
            self.inside = None


def _in_time(event: Fact | Ruling) -> tuple[datetime, int, int, str]:
    if isinstance(event, Ruling):
        return event.at, 2, 0, ""
    return (event.at, 0, 0, event.scan_id) if event.offline else (event.at, 1, event.number, "")


def _decided_before_known(gate: Fact, offline: Fact) -> bool:
    """Whether a gate had decided a later scan before the upload arrived."""
    return gate.at >= offline.at and (gate.known_at, gate.number) < (offline.known_at, offline.number)


def end(visit: Visit, at: datetime, by: str | None, why: Inferred | None) -> None:
    """End a visit."""
    assert at >= visit.at, "no visit ends before it began"
    visit.left_at, visit.left_by, visit.why = at, by, why
