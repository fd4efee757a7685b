"""The door as a small program that keeps every fact and replays a member's from the first to the last.

It decides what the door of the product must answer, and says who is inside, by which visits, and which conflicts staff
see. It shares with `domain/door` the types of questions and answers, and no rule.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from domain.door.model import Conflict, Direction, Inferred, OfflineScan, Outcome, PassStatus, Reason, ScanRequest

HELD_UP = timedelta(seconds=15)
REENTRY = timedelta(minutes=15)
DEVICE_ANNULS = timedelta(minutes=15)
EXIT_CODE_KNOWN = timedelta(seconds=60)


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
    """A rule found that a member was not inside a gym any more."""

    member: UUID
    gym: UUID
    at: datetime
    why: Inferred


@dataclass(eq=False)
class Visit:
    """A stay; `scans` are those that it answered."""

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
        """What stays the same of it whichever of its scans is annulled."""
        return (self.gym, self.scans[0].group) if self.scans else (self.gym, self.number)


@dataclass
class Member:
    """All that is known of a member."""

    id: UUID
    facts: list[Fact] = field(default_factory=list)
    rulings: list[Ruling] = field(default_factory=list)
    deleted_at: datetime | None = None
    forgotten: list[Visit] | None = None

    def visits(self) -> list[Visit]:
        """Their visits in order."""
        return self.forgotten if self.forgotten is not None else self._replay()[0]

    def conflicts(self) -> dict[str, Conflict]:
        """What does not fit of what they did without the server."""
        return {} if self.forgotten is not None else self._replay()[1]

    def open_visit(self) -> Visit | None:
        """The visit that has not ended."""
        visits = self.visits()
        return visits[-1] if visits and visits[-1].left_at is None else None

    def used(self, code: datetime) -> bool:
        """Whether a code belongs to a visit that stands."""
        return any(fact.code == code for visit in self.visits() for fact in visit.scans)

    def at_gates(self) -> list[Fact]:
        """What was accepted at gates and stands."""
        facts = [fact for fact in self.facts if not fact.offline and not fact.annulled]
        return sorted(facts, key=lambda fact: (fact.at, fact.number))

    def _replay(self) -> tuple[list[Visit], dict[str, Conflict]]:
        at_gates = self.at_gates()
        taken = {fact.code for fact in at_gates if fact.enters}
        visits: list[Visit] = []
        conflicts: dict[str, Conflict] = {}
        inside: Visit | None = None
        without_server = [fact for fact in self.facts if fact.offline and not fact.annulled]
        for event in sorted([*at_gates, *without_server, *self.rulings], key=_in_time):
            if isinstance(event, Ruling):
                if inside is not None and inside.gym == event.gym:
                    _end(inside, event.at, None, event.why)
                    inside = None
                continue
            here = inside is not None and inside.gym == event.gym
            if event.offline:
                if any(_decided_before_known(gate, event) for gate in at_gates):
                    conflicts[event.scan_id] = Conflict.LATER_SCAN
                    continue
                if event.enters and event.code in taken:
                    conflicts[event.scan_id] = Conflict.USED_PASS
                    continue
                if event.enters == here:
                    conflicts[event.scan_id] = Conflict.ALREADY_INSIDE if here else Conflict.NOT_INSIDE
            if not event.enters:
                if inside is not None and here:
                    _end(inside, event.at, event.scan_id, None)
                    inside = None
                continue
            if inside is not None and inside.scans[0].group == event.group:
                inside.scans.append(event)
                continue
            if inside is not None:
                why = Inferred.ENTERED_AGAIN if here else Inferred.ENTERED_ELSEWHERE
                _end(inside, event.at, event.scan_id, why)
            taken.add(event.code)
            inside = Visit(self.id, event.gym, event.at, event.number, [event])
            visits.append(inside)
        if inside is not None and self.deleted_at is not None:
            _end(inside, max(self.deleted_at, inside.at), None, Inferred.ACCOUNT_DELETED)
        return visits, conflicts


def _in_time(event: Fact | Ruling) -> tuple[datetime, int, int, str]:
    if isinstance(event, Ruling):
        return event.at, 2, 0, ""
    return (event.at, 0, 0, event.scan_id) if event.offline else (event.at, 1, event.number, "")


def _decided_before_known(gate: Fact, offline: Fact) -> bool:
    """A gate had decided something later by the time the upload came."""
    return gate.at >= offline.at and (gate.known_at, gate.number) < (offline.known_at, offline.number)


def _end(visit: Visit, at: datetime, by: str | None, why: Inferred | None) -> None:
    assert at >= visit.at, "no visit ends before it began"
    visit.left_at, visit.left_by, visit.why = at, by, why


@dataclass
class Kept:
    """What is kept of a scan id: how it was asked first, and what was said."""

    gym: UUID
    gate: UUID | None  # None: annulled before it was seen
    direction: Direction | None
    member: UUID | None
    forged: bool
    outcome: Outcome
    reason: Reason | None
    decided_at: datetime
    fact: Fact | None = None
    annulled: bool = False
    offline: bool = False
    replayed: bool = False


@dataclass
class Use:
    """A machine in use; `ended_at` once the visit ended beneath it."""

    machine: UUID
    member: UUID
    gym: UUID
    visit: tuple[object, ...]
    began_at: datetime
    ended_at: datetime | None = None


@dataclass
class Said:
    """What the door must say to a scan at a gate."""

    outcome: Outcome
    reason: Reason | None = None
    replayed: bool = False
    head: Fact | None = None  # whose answer it is


class Oracle:
    """Two gyms with their members, as the facts have it.

    Args:
        capacity: of each gym.
        longest_visit, longest_use: after which they count as forgotten.
    """

    def __init__(
        self, capacity: dict[UUID, int], members: Iterable[UUID], longest_visit: timedelta, longest_use: timedelta
    ) -> None:
        self.capacity = capacity
        self.members = {id_: Member(id_) for id_ in members}
        self.nameless: list[Visit] = []
        self.kept: dict[str, Kept] = {}
        self.noted: dict[str, Conflict] = {}  # conflicts that no replay finds
        self.uses: dict[UUID, Use] = {}
        self._longest_visit = longest_visit
        self._longest_use = longest_use
        self._ended_uses: list[Use] = []
        self._before: dict[tuple[object, ...], datetime | None] = {}
        self._number = 0

    # What is asked of it.

    def visits(self) -> list[Visit]:
        """All visits that count."""
        return [visit for member in self.members.values() for visit in member.visits()] + self.nameless

    def inside(self, gym: UUID) -> list[Visit]:
        """Who is inside, the longest first."""
        found = [visit for visit in self.visits() if visit.gym == gym and visit.left_at is None]
        return sorted(found, key=lambda visit: (visit.at, visit.number))

    def conflicts(self) -> dict[str, Conflict]:
        """What staff see, by scan id."""
        found = dict(self.noted)
        for member in self.members.values():
            if member.forgotten is None:
                found |= member.conflicts()
        return found

    # Scans at gates.

    def expect(self, request: ScanRequest, now: datetime) -> Said | None:
        """What the door must say to a scan; None: the id was used otherwise."""
        kept = self.kept.get(request.scan_id)
        if kept is not None:
            if kept.gate is not None and (kept.gate, kept.direction) != (request.gate_id, request.direction):
                return None
            if kept.annulled:
                return Said(Outcome.REFUSED, Reason.TOO_LATE, replayed=True)
            return Said(kept.outcome, kept.reason, replayed=True)
        return self._decide(request, now)

    def scanned(self, request: ScanRequest, said: Said, now: datetime) -> None:
        """Keep a scan that was decided as expected."""
        if request.scan_id in self.kept:
            return
        member = self._alive(request.reading.member_id)
        kept = Kept(
            request.gym_id,
            request.gate_id,
            request.direction,
            member.id if member is not None else None,
            request.reading.status is PassStatus.FORGED,
            said.outcome,
            said.reason,
            now,
        )
        self.kept[request.scan_id] = kept
        if member is None or said.outcome is Outcome.REFUSED:
            return
        kept.fact = self._fact(request, said.outcome is Outcome.ENTERED, now, now, offline=False)
        if said.head is not None:
            kept.fact.group = said.head.group
        member.facts.append(kept.fact)

    def _decide(self, request: ScanRequest, now: datetime) -> Said:
        if now > request.decide_by:
            return Said(Outcome.REFUSED, Reason.TOO_LATE)
        if request.reading.status is PassStatus.FORGED:
            return Said(Outcome.REFUSED, Reason.UNKNOWN_PASS)
        member, code = self._alive(request.reading.member_id), request.reading.issued_at
        if member is None or code is None:
            leaves = request.direction is Direction.LEAVE
            return Said(Outcome.LEFT) if leaves else Said(Outcome.REFUSED, Reason.UNKNOWN_PASS)
        visit = member.open_visit()
        here = visit is not None and visit.gym == request.gym_id
        stale = request.reading.status is PassStatus.STALE
        head = _last_answer(member)
        if head is not None and _stands(head, visit, request) and now - head.at <= HELD_UP:
            if head.enters and stale and code != head.code:
                return Said(Outcome.REFUSED, Reason.EXPIRED_PASS)
            return Said(Outcome.ENTERED if head.enters else Outcome.LEFT, replayed=True, head=head)
        leaves = request.direction is Direction.LEAVE or (request.direction is Direction.AUTO and here)
        if request.direction is Direction.AUTO:
            exits = [fact for fact in member.at_gates() if not fact.enters and fact.code == code]
            known = any(now - fact.at < EXIT_CODE_KNOWN for fact in exits)
            if member.used(code) if leaves else known:
                return Said(Outcome.REFUSED, Reason.USED_PASS)
        if leaves:
            return Said(Outcome.LEFT)
        if stale:
            return Said(Outcome.REFUSED, Reason.EXPIRED_PASS)
        if member.used(code):
            return Said(Outcome.REFUSED, Reason.USED_PASS)
        if visit is not None and here and now - visit.at < REENTRY:
            return Said(Outcome.REFUSED, Reason.ALREADY_INSIDE)
        if len(self.inside(request.gym_id)) - here >= self.capacity[request.gym_id]:
            return Said(Outcome.REFUSED, Reason.GYM_FULL)
        return Said(Outcome.ENTERED)

    # Scans without the server.

    def uploaded(self, upload: OfflineScan, recorded_at: datetime) -> Conflict | None | bool:
        """Keep a scan that a device made by itself.

        Returns:
            What does not fit; False: the id was used otherwise.
        """
        scan = upload.scan
        kept = self.kept.get(scan.scan_id)
        member = self._alive(scan.reading.member_id)
        if kept is not None and self._used_otherwise(kept, scan):
            return False
        forged = scan.reading.status is PassStatus.FORGED
        if kept is not None and kept.annulled:
            self.noted[scan.scan_id] = Conflict.ANNULLED
            if kept.outcome is Outcome.REFUSED:
                kept.gym, kept.gate, kept.direction, kept.forged = scan.gym_id, scan.gate_id, scan.direction, forged
                kept.outcome, kept.decided_at, kept.offline = _outcome(scan), recorded_at, True
                kept.member = member.id if member is not None else None
            return Conflict.ANNULLED
        if kept is not None and kept.outcome is not Outcome.REFUSED:
            if kept.outcome is not _outcome(scan):
                self.noted[scan.scan_id] = Conflict.DECIDED_OTHERWISE
            return self.conflicts().get(scan.scan_id)
        kept = Kept(
            scan.gym_id,
            scan.gate_id,
            scan.direction,
            member.id if member is not None else None,
            forged,
            _outcome(scan),
            None,
            recorded_at,
            offline=True,
        )
        self.kept[scan.scan_id] = kept
        if member is None:
            self.noted[scan.scan_id] = Conflict.UNKNOWN_PASS if forged else Conflict.UNKNOWN_MEMBER
        else:
            kept.fact = self._fact(scan, kept.outcome is Outcome.ENTERED, _made_at(scan), recorded_at, offline=True)
            member.facts.append(kept.fact)
        return self.conflicts().get(scan.scan_id)

    @staticmethod
    def _used_otherwise(kept: Kept, scan: ScanRequest) -> bool:
        if kept.gate is None:
            return kept.gym != scan.gym_id
        if kept.gate != scan.gate_id:
            return True
        if kept.outcome is Outcome.REFUSED:
            return False
        forged = scan.reading.status is PassStatus.FORGED
        another = forged != kept.forged or (kept.member is not None and scan.reading.member_id != kept.member)
        return another or kept.direction not in {scan.direction, Direction.AUTO}

    # Annulments.

    def annulled(self, scan_id: str, gym: UUID, *, by_staff: bool, asked_at: datetime, now: datetime) -> bool:
        """Undo a scan; False: the device is too late for it."""
        kept = self.kept.get(scan_id)
        if kept is None:
            self.kept[scan_id] = Kept(
                gym, None, None, None, False, Outcome.REFUSED, Reason.TOO_LATE, now, annulled=True
            )
            return True
        if kept.annulled:
            return True
        if not by_staff and asked_at - kept.decided_at > DEVICE_ANNULS:
            return False
        kept.annulled = True
        self.noted.pop(scan_id, None)
        if kept.fact is not None:
            kept.fact.annulled = True
            self._forget_fact(self.members[kept.fact.member], kept.fact)
        return True

    @staticmethod
    def _forget_fact(member: Member, fact: Fact) -> None:
        """Of an account that is gone, what has ended stays; only what a scan began goes with it."""
        for visit in list(member.forgotten or ()):
            if fact in visit.scans:
                visit.scans.remove(fact)
                if visit.scans:
                    visit.at = visit.scans[0].at
                elif member.forgotten is not None:
                    member.forgotten.remove(visit)

    # Rules, and accounts that are deleted.

    def counted(self, gym: UUID, heads: int, now: datetime) -> None:
        """As many are inside as staff have seen."""
        inside = self.inside(gym)
        for visit in inside[: max(0, len(inside) - heads)]:
            self._rule(visit, now, Inferred.HEAD_COUNT)
        for _ in range(heads - len(inside)):
            self._number += 1
            self.nameless.append(Visit(None, gym, now, self._number))

    def tidied(self, gym: UUID, now: datetime) -> None:
        """What lasts too long has ended."""
        for visit in self.inside(gym):
            if visit.at + self._longest_visit <= now:
                self._rule(visit, now, Inferred.FORGOTTEN)
        self.after(now)
        for use in list(self.uses.values()):
            if use.gym == gym and use.began_at < now - self._longest_use:
                del self.uses[use.machine]

    def deleted(self, member_id: UUID, marked_at: datetime, ended_at: datetime) -> None:
        """An account is marked as deleted, and the door ends its open visit."""
        member = self.members[member_id]
        visit = member.open_visit()
        member.deleted_at = marked_at
        if visit is not None:
            self._rule(visit, ended_at, Inferred.ACCOUNT_DELETED)

    def forgotten(self, member_id: UUID) -> None:
        """The person is taken out of everything that is kept."""
        member = self.members[member_id]
        self.noted |= member.conflicts()
        member.forgotten = member.visits()
        for visit in member.forgotten:
            visit.member = None
        for kept in self.kept.values():
            kept.member = None if kept.member == member_id else kept.member

    # Machines.

    def uses_machine(self, machine: UUID, member_id: UUID, gym: UUID, now: datetime) -> None:
        """A member has begun to use a machine."""
        visit = self.members[member_id].open_visit()
        assert visit is not None
        assert visit.gym == gym
        self.uses.setdefault(machine, Use(machine, member_id, gym, visit.key, now))

    def may_use(self, machine: UUID, member_id: UUID, gym: UUID) -> bool:
        """Whether the machine is theirs, or may be."""
        visit = self.members[member_id].open_visit()
        use = self.uses.get(machine)
        if visit is None or visit.gym != gym:
            return False
        if use is not None:
            return use.member == member_id
        return all(other.member != member_id for other in self.uses.values())

    def after(self, now: datetime) -> None:
        """Follow with the machines what has become of the visits."""
        visits = {visit.key: visit.left_at for visit in self.visits() if visit.scans}
        for use in list(self.uses.values()):
            if use.visit not in visits or visits[use.visit] is not None:
                del self.uses[use.machine]
                if use.visit in visits:
                    use.ended_at = now
                    self._ended_uses.append(use)
        for key, left_at in visits.items():
            before = self._before.get(key)
            if left_at is None and before is not None:
                self._resume(key, before)
        self._before = visits

    def _resume(self, key: tuple[object, ...], left_at: datetime) -> None:
        ended = [use for use in self._ended_uses if use.visit == key and use.ended_at and use.ended_at >= left_at]
        if not ended:
            return
        use = max(ended, key=lambda one: one.ended_at or one.began_at)
        busy = {other.member for other in self.uses.values()}
        if use.machine not in self.uses and use.member not in busy:
            self._ended_uses.remove(use)
            use.ended_at = None
            self.uses[use.machine] = use

    # Small things.

    def _alive(self, member_id: UUID | None) -> Member | None:
        member = self.members.get(member_id) if member_id is not None else None
        return None if member is None or member.deleted_at is not None else member

    def _fact(self, scan: ScanRequest, enters: bool, at: datetime, known_at: datetime, *, offline: bool) -> Fact:  # noqa: FBT001 - short
        assert scan.reading.member_id is not None
        assert scan.reading.issued_at is not None
        self._number += 1
        return Fact(
            scan.scan_id,
            scan.reading.member_id,
            scan.gym_id,
            scan.gate_id,
            enters,
            at,
            scan.reading.issued_at,
            known_at,
            self._number,
            offline,
            scan.scan_id,
        )

    def _rule(self, visit: Visit, now: datetime, why: Inferred) -> None:
        if visit.member is None:
            _end(visit, now, None, why)
        else:
            self.members[visit.member].rulings.append(Ruling(visit.member, visit.gym, now, why))


def _made_at(scan: ScanRequest) -> datetime:
    """As the device says, while the code was good and before it was uploaded."""
    assert scan.scanned_at is not None
    assert scan.reading.issued_at is not None
    good_from, good_until = (scan.reading.issued_at + timedelta(seconds=seconds) for seconds in (-10, 45))
    return min(max(scan.scanned_at, good_from), good_until, scan.arrived_at)


def _outcome(scan: ScanRequest) -> Outcome:
    return Outcome.LEFT if scan.direction is Direction.LEAVE else Outcome.ENTERED


def _last_answer(member: Member) -> Fact | None:
    """The first scan, of those that stand, that was given the answer which a gate gave last."""
    facts: Sequence[Fact] = member.at_gates()
    head = None
    for fact in facts:
        if head is None or fact.group != head.group:
            head = fact
    return head


def _stands(head: Fact, visit: Visit | None, request: ScanRequest) -> bool:
    """Whether an answer is still true, and may be given again to this question."""
    if head.gate != request.gate_id:
        return False
    if request.direction not in {Direction.AUTO, Direction.ENTER if head.enters else Direction.LEAVE}:
        return False
    if head.enters:
        return visit is not None and head in visit.scans
    return visit is None or visit.gym != request.gym_id
