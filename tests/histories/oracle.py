"""The door as a small program that keeps every fact and replays all facts of a member each time.

It decides what the door of the product must answer, and says who is inside, by which visits, and which conflicts staff
see. It shares with `domain/door` the types of questions and answers, and no rule.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.door.model import Conflict, Direction, Inferred, OfflineScan, Outcome, PassStatus, Reason, ScanRequest
from tests.histories.facts import Fact, Member, Ruling, Visit, end
from tests.histories.machines import Machines, Use

HELD_UP = timedelta(seconds=15)
REENTRY = timedelta(minutes=15)
DEVICE_ANNULS = timedelta(minutes=15)
EXIT_CODE_KNOWN = timedelta(seconds=60)


@dataclass
class Kept:
    """A scan id: its first request and the answer."""

    gym: UUID
    gate: UUID | None  # None: annulled before it was seen
    direction: Direction | None
    member: UUID | None
    outcome: Outcome
    reason: Reason | None
    decided_at: datetime
    forged: bool = False
    fact: Fact | None = None
    annulled: bool = False


@dataclass
class Said:
    """The expected answer to a scan at a gate."""

    outcome: Outcome
    reason: Reason | None = None
    replayed: bool = False
    head: Fact | None = None  # whose answer it is


class Oracle:
    """Two gyms with their members, according to the facts.

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
        self.machines = Machines()
        self._longest_visit = longest_visit
        self._longest_use = longest_use
        self._number = 0

    # What is asked of it.

    def visits(self) -> list[Visit]:
        """All visits that are not annulled."""
        return [visit for member in self.members.values() for visit in member.visits()] + self.nameless

    def inside(self, gym: UUID) -> list[Visit]:
        """Who is inside, longest first."""
        found = [visit for visit in self.visits() if visit.gym == gym and visit.left_at is None]
        return sorted(found, key=lambda visit: (visit.at, visit.number))

    def conflicts(self) -> dict[str, Conflict]:
        """The conflicts that staff see, by scan id."""
        found = dict(self.noted)
        for member in self.members.values():
            if member.forgotten is None:
                found |= member.conflicts()
        return found

    # Scans at gates.

    def expect(self, request: ScanRequest, now: datetime) -> Said | None:
        """The expected answer to a scan; None: the id was used for another scan."""
        kept = self.kept.get(request.scan_id)
        if kept is not None:
            if kept.gate is not None and (kept.gate, kept.direction) != (request.gate_id, request.direction):
                return None
            if kept.annulled:
                return Said(Outcome.REFUSED, Reason.TOO_LATE, replayed=True)
            return Said(kept.outcome, kept.reason, replayed=True)
        return self._decide(request, now)

    def scanned(self, request: ScanRequest, said: Said, now: datetime) -> None:
        """Record a scan that was decided as expected."""
        if request.scan_id in self.kept:
            return
        member = self._alive(request.reading.member_id)
        kept = Kept(
            request.gym_id,
            request.gate_id,
            request.direction,
            member.id if member is not None else None,
            said.outcome,
            said.reason,
            now,
            forged=request.reading.status is PassStatus.FORGED,
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
        return Said(Outcome.LEFT) if leaves else self._enter(request, member, code, now)

    def _enter(self, request: ScanRequest, member: Member, code: datetime, now: datetime) -> Said:
        visit = member.open_visit()
        here = visit is not None and visit.gym == request.gym_id
        if request.reading.status is PassStatus.STALE:
            return Said(Outcome.REFUSED, Reason.EXPIRED_PASS)
        if member.used(code):
            return Said(Outcome.REFUSED, Reason.USED_PASS)
        if visit is not None and here and now - visit.at < REENTRY:
            return Said(Outcome.REFUSED, Reason.ALREADY_INSIDE)
        if len(self.inside(request.gym_id)) - here >= self.capacity[request.gym_id]:
            return Said(Outcome.REFUSED, Reason.GYM_FULL)
        return Said(Outcome.ENTERED)

    # Scans without the server.

    def uploaded(self, upload: OfflineScan, recorded_at: datetime) -> Conflict | bool | None:
        """Record an offline scan.

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
                kept.outcome, kept.decided_at = _outcome(scan), recorded_at
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
            _outcome(scan),
            None,
            recorded_at,
            forged=forged,
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
        """Annul a scan; False: the window for devices is over."""
        kept = self.kept.get(scan_id)
        if kept is None:
            self.kept[scan_id] = Kept(gym, None, None, None, Outcome.REFUSED, Reason.TOO_LATE, now, annulled=True)
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
        """Annul a scan of a deleted account: only the visit that it began changes."""
        for visit in list(member.forgotten or ()):
            if fact in visit.scans:
                visit.scans.remove(fact)
                if visit.scans:
                    visit.at = visit.scans[0].at
                elif member.forgotten is not None:
                    member.forgotten.remove(visit)

    # Rules, and accounts that are deleted.

    def counted(self, gym: UUID, heads: int, now: datetime) -> None:
        """Apply a head count."""
        inside = self.inside(gym)
        for visit in inside[: max(0, len(inside) - heads)]:
            self._rule(visit, now, Inferred.HEAD_COUNT)
        for _ in range(heads - len(inside)):
            self._number += 1
            self.nameless.append(Visit(None, gym, now, self._number))

    def tidied(self, gym: UUID, now: datetime) -> None:
        """End what is past its limits."""
        for visit in self.inside(gym):
            if visit.at + self._longest_visit <= now:
                self._rule(visit, now, Inferred.FORGOTTEN)
        self.after(now)
        self.machines.tidied(gym, now - self._longest_use)

    def deleted(self, member_id: UUID, marked_at: datetime, ended_at: datetime) -> None:
        """Mark an account as deleted and end its open visit."""
        member = self.members[member_id]
        visit = member.open_visit()
        member.deleted_at = marked_at
        if visit is not None:
            self._rule(visit, ended_at, Inferred.ACCOUNT_DELETED)

    def forgotten(self, member_id: UUID) -> None:
        """Remove the person from everything that is stored."""
        member = self.members[member_id]
        self.noted |= member.conflicts()
        member.forgotten = member.visits()
        for visit in member.forgotten:
            visit.member = None
        for kept in self.kept.values():
            kept.member = None if kept.member == member_id else kept.member

    # Machines.

    def may_use(self, machine: UUID, member_id: UUID, gym: UUID) -> bool:
        """Whether the member uses the machine or may use it."""
        visit = self.members[member_id].open_visit()
        use = self.machines.uses.get(machine)
        if visit is None or visit.gym != gym:
            return False
        return use.member == member_id if use is not None else not self.machines.is_busy(member_id)

    def uses_machine(self, machine: UUID, member_id: UUID, gym: UUID, now: datetime) -> None:
        """Record that a member uses a machine."""
        visit = self.members[member_id].open_visit()
        assert visit is not None
        self.machines.uses.setdefault(machine, Use(machine, member_id, gym, visit.key, now))

    def after(self, now: datetime) -> None:
        """Update the machines after visits changed."""
        self.machines.follow({visit.key: visit.left_at for visit in self.visits() if visit.scans}, now)

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
            end(visit, now, None, why)
        else:
            self.members[visit.member].rulings.append(Ruling(visit.member, visit.gym, now, why))


def _made_at(scan: ScanRequest) -> datetime:
    """The time of an offline scan: the device's, bounded by the validity of the code and the upload."""
    assert scan.scanned_at is not None
    assert scan.reading.issued_at is not None
    good_from, good_until = (scan.reading.issued_at + timedelta(seconds=seconds) for seconds in (-10, 45))
    return min(max(scan.scanned_at, good_from), good_until, scan.arrived_at)


def _outcome(scan: ScanRequest) -> Outcome:
    return Outcome.LEFT if scan.direction is Direction.LEAVE else Outcome.ENTERED


def _last_answer(member: Member) -> Fact | None:
    """The first scan, of those that are not annulled, with the last answer of a gate."""
    facts: Sequence[Fact] = member.at_gates()
    head = None
    for fact in facts:
        if head is None or fact.group != head.group:
            head = fact
    return head


def _stands(head: Fact, visit: Visit | None, request: ScanRequest) -> bool:
    """Whether an answer still holds and may be repeated for this scan."""
    if head.gate != request.gate_id:
        return False
    if request.direction not in {Direction.AUTO, Direction.ENTER if head.enters else Direction.LEAVE}:
        return False
    if head.enters:
        return visit is not None and head in visit.scans
    return visit is None or visit.gym != request.gym_id
