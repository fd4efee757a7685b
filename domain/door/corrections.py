"""Corrects a member's stored visits after an annulment or an upload. Pure.

The visits are computed again from the facts that stand (`timeline.py`); the correction is the difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from datetime import datetime
from uuid import UUID

from domain.door.events import (
    MachineUseResumed,
    ScanChanged,
    ScanState,
    VisitChanged,
    VisitInferred,
    VisitReopened,
)
from domain.door.history import (
    ConflictRow,
    MemberHistory,
    StoredFact,
    StoredVisit,
    VisitCorrection,
    VisitValues,
)
from domain.door.machine_model import EndedUse, UseEnded
from domain.door.machine_rules import freed
from domain.door.model import Conflict, Direction, Inferred, Outcome
from domain.door.state import OpenVisit, VisitRow
from domain.door.timeline import GateScan, OfflineEntry, Stay, StayEnd, Timeline, replay
from domain.ids import new_id
from domain.memberships.rules import standing

_NO_END = (None, None, None)
_BY_MEMBERSHIP = {Conflict.BANNED, Conflict.NO_MEMBERSHIP}


def correct_visits(
    history: MemberHistory, now: datetime, *, annulled: UUID | None = None, recorded: OfflineEntry | None = None
) -> VisitCorrection:
    """Make a member's visits agree with the facts.

    Args:
        history: what is stored of the member.
        annulled: the scan's row that is annulled now.
        recorded: the offline scan that is recorded now.
    """
    correction = _Correction(history, now, annulled, recorded)
    timeline = correction.replay()
    correction.collect_conflicts(timeline)
    correction.collect_visits(timeline)
    return correction.changes


def conflict_of(scan: UUID, correction: VisitCorrection) -> Conflict | None:
    """The conflict that a correction lists for a scan."""
    return next((row.kind for row in correction.conflicts if row.scan == scan), None)


def occupancy_change(history: MemberHistory, correction: VisitCorrection, gym_id: UUID) -> int:
    """By how many open visits of a gym the correction changes its occupancy."""
    gym_of = {visit.id: visit.gym_id for visit in history.visits if visit.is_open}
    closed = sum(1 for visit_id in correction.closed if gym_of.get(visit_id) == gym_id)
    opened = sum(1 for row in correction.new_visits if row.left_at is None and row.gym_id == gym_id)
    reopened = correction.reopened is not None and correction.reopened.gym_id == gym_id
    return opened + reopened - closed


class _Correction:
    """The facts, the stored visits, and the changes so far."""

    def __init__(
        self, history: MemberHistory, now: datetime, annulled: UUID | None, recorded: OfflineEntry | None
    ) -> None:
        begin = history.begin
        facts = [*history.facts, *([StoredFact(recorded, None, annulled=False)] if recorded is not None else [])]
        valid = [stored for stored in facts if not stored.annulled and stored.fact.id != annulled]
        counting = [visit for visit in history.visits if not visit.annulled]
        self.changes = VisitCorrection(history.member.shown.id)
        self._history = history
        self._now = now
        self._recorded = recorded
        self._groups = {stored.fact.id: stored.fact.group for stored in facts}
        self._facts = {stored.fact.id: stored for stored in valid if stored.fact.at >= begin}
        self._begun = [visit for visit in counting if visit.values.entered_at >= begin]
        self._before = next((visit for visit in counting if _lasts_until(visit, begin)), None)
        self._earlier = _earlier_stay(self._before, self._groups)
        self._codes_before = {
            stored.fact.issued_at
            for stored in valid
            if stored.fact.at < begin and isinstance(stored.fact, GateScan) and stored.fact.outcome is Outcome.ENTERED
        }
        begun_ids = {visit.id for visit in self._begun}
        self._used_codes = {code for visit_id, code in history.code_visits if visit_id not in begun_ids}

    def replay(self) -> Timeline:
        """Compute the visits. Nobody whose account is deleted stays inside."""
        history = self._history
        rules = [visit.rule for visit in history.visits if visit.rule is not None and visit.rule.at >= history.begin]
        facts = [*(stored.fact for stored in self._facts.values()), *rules]
        timeline = replay(self._earlier, self._used_codes | self._codes_before, facts)
        last = timeline.stays[-1] if timeline.stays else self._earlier
        if history.deleted_at is not None and last is not None and last.end is None:
            entered_at = last.opener.at if last.opener is not None else history.deleted_at
            last.end = StayEnd(max(history.deleted_at, entered_at), None, Inferred.ACCOUNT_DELETED)
        return timeline

    def collect_conflicts(self, timeline: Timeline) -> None:
        """Compare the conflicts of offline scans with those that are listed.

        Whether the gate would have refused the member is decided when the scan is recorded, and again when another
        conflict of the scan is resolved. That result stays.
        """
        entries = [stored.fact for stored in self._facts.values() if isinstance(stored.fact, OfflineEntry)]
        listed = {
            entry.id: self._history.conflicts[entry.id] for entry in entries if entry.id in self._history.conflicts
        }
        found = {scan: kind for scan, kind in listed.items() if kind in _BY_MEMBERSHIP} | timeline.conflicts
        for entry in entries:
            is_new = entry is self._recorded or entry.id in listed
            if entry.direction is not Direction.LEAVE and entry.id not in found and is_new:
                refusal = self._refusal_by_membership(entry)
                if refusal is not None:
                    found[entry.id] = refusal
        self.changes.dropped_conflicts |= listed.keys() - found.keys()
        gyms = {entry.id: entry.gym_id for entry in entries}
        self.changes.conflicts += [
            ConflictRow(scan, gyms[scan], kind, is_listed=scan in listed)
            for scan, kind in found.items()
            if listed.get(scan) is not kind or self._is_recorded(scan)
        ]

    def collect_visits(self, timeline: Timeline) -> None:
        """Compare the computed visits with the stored ones, and collect what differs."""
        changes = self.changes
        stored = self._match(timeline.stays)
        stays = [(stay, stored.get(stay), self._values(stay)) for stay in timeline.stays]
        matched = {visit.id for visit in stored.values()}
        for begun in self._begun:
            if begun.id not in matched:
                self._end_use(begun.id, UseEnded.SCAN_ANNULLED)
                changes.closed.append(begun.id)
                changes.annulled.append(begun.id)
                self._publish_visit(begun.id, begun.gym_id, begun.values, annulled=True)
        ids: dict[Stay, UUID] = {}
        if self._before is not None and self._earlier is not None:
            ids[self._earlier] = self._before.id
            values = self._before.values
            is_published = self._collect_end(self._before, self._earlier.end, values.entered_at)
            ended = VisitValues(
                values.pass_issued_at, values.entered_at, values.entered_scan, *(self._earlier.end or _NO_END)
            )
            if ended != values:
                changes.changed.append((self._before.id, ended))
                if not is_published:
                    self._publish_visit(self._before.id, self._before.gym_id, ended, before=values)
        for stay, visit, values in stays:
            ids[stay] = visit.id if visit is not None else new_id()
            if visit is None:
                self._collect_new(ids[stay], stay, values)
            else:
                self._collect_changes(visit, stay, values)
        self._collect_open(timeline.stays, stored)
        for scan, stay_of_scan in timeline.of_scans.items():
            visit_id = ids[stay_of_scan] if stay_of_scan is not None else None
            if self._facts[scan].visit_id != visit_id:
                changes.visit_of_scan[scan] = visit_id
                self._publish_scan(self._facts[scan], visit_id)

    def _is_recorded(self, scan: UUID) -> bool:
        return self._recorded is not None and scan == self._recorded.id

    def _refusal_by_membership(self, entry: OfflineEntry) -> Conflict | None:
        """Why the gate would have refused the member, had it reached the server."""
        history = self._history
        if history.member.banned:
            return Conflict.BANNED
        company = history.companies[entry.gym_id]
        seen = [held.seen_from(entry.gym_id, company) for held in history.memberships]
        return Conflict.NO_MEMBERSHIP if standing(seen, entry.at).reason is not None else None

    def _match(self, stays: Sequence[Stay]) -> dict[Stay, StoredVisit]:
        """The stored visit of each stay: begun by the same scan, or by another scan with the same answer."""
        left = {visit.values.entered_scan: visit for visit in self._begun}
        found = {stay: left.pop(stay.opener.id) for stay in stays if stay.opener and stay.opener.id in left}
        of_group = {self._groups.get(scan): scan for scan in left if scan is not None}
        for stay in stays:
            if stay not in found and stay.group in of_group:
                found[stay] = left[of_group.pop(stay.group)]
        return found

    def _values(self, stay: Stay) -> VisitValues:
        opener = stay.opener
        assert opener is not None  # noqa: S101 - only the earlier stay has none
        code = opener.issued_at if opener.issued_at not in self._used_codes else None
        self._used_codes.add(opener.issued_at)
        return VisitValues(code, opener.at, opener.id, *(stay.end or _NO_END))

    def _collect_new(self, visit_id: UUID, stay: Stay, values: VisitValues) -> None:
        assert stay.opener is not None  # noqa: S101 - only the earlier stay has none
        member_id, gate_id = self._history.member.shown.id, stay.opener.gate_id
        self.changes.new_visits.append(VisitRow(visit_id, stay.gym_id, member_id, gate_id, *astuple(values)))
        self._publish_visit(visit_id, stay.gym_id, values)

    def _collect_changes(self, visit: StoredVisit, stay: Stay, values: VisitValues) -> None:
        is_published = self._collect_end(visit, stay.end, values.entered_at)
        if visit.values.pass_issued_at not in {None, values.pass_issued_at}:
            self.changes.freed_codes.append(visit.id)
        if visit.values != values:
            self.changes.changed.append((visit.id, values))
            if not is_published or visit.values.entered_at != values.entered_at:
                self._publish_visit(visit.id, visit.gym_id, values, before=visit.values)

    def _publish_visit(
        self,
        visit_id: UUID,
        gym_id: UUID,
        values: VisitValues,
        *,
        before: VisitValues | None = None,
        annulled: bool = False,
    ) -> None:
        """Publish the new state of a visit, unless only its scans or its code have changed."""
        was_entered_at = before.entered_at if before is not None else values.entered_at
        if before is not None and _published(before) == _published(values):
            return
        self.changes.events.append(
            VisitChanged(
                new_id(),
                gym_id,
                visit_id,
                self._history.member.shown.id,
                values.entered_at,
                values.left_at,
                values.inferred,
                annulled,
                self._now,
                was_entered_at if was_entered_at != values.entered_at else None,
            )
        )

    def _publish_scan(self, stored: StoredFact, visit_id: UUID | None) -> None:
        """Publish the new state of a scan. That of the scan that is recorded now is published with it."""
        fact = stored.fact
        if stored.arrived_at is None:
            return
        is_offline = isinstance(fact, OfflineEntry)
        if isinstance(fact, OfflineEntry):
            outcome = Outcome.LEFT if fact.direction is Direction.LEAVE else Outcome.ENTERED
        else:
            outcome = fact.outcome
        state = ScanState(
            fact.id,
            fact.gate_id,
            self._history.member.shown.id,
            outcome,
            None,
            is_offline,
            fact.at if is_offline else stored.scanned_at,
            stored.arrived_at,
            fact.known_at if isinstance(fact, OfflineEntry) else fact.at,
            visit_id,
            repeat=fact.group != fact.id,
            annulled=False,
        )
        self.changes.events.append(ScanChanged(new_id(), fact.gym_id, state, self._now))

    def _collect_end(self, visit: StoredVisit, end: StayEnd | None, entered_at: datetime) -> bool:
        """Collect what follows when a visit ends differently or continues: events and its machine.

        Returns:
            Whether an event has the new state of the visit.
        """
        stored, member_id = visit.values, self._history.member.shown.id
        if end is None:
            if stored.left_at is None:
                return False
            self.changes.events.append(
                VisitReopened(new_id(), visit.gym_id, visit.id, member_id, self._now, entered_at)
            )
            return True
        if stored.left_at is None:
            self._end_use(visit.id, UseEnded.LEFT_GYM)
            self.changes.closed.append(visit.id)
        if end.inferred is None or (stored.left_at, stored.inferred) == (end.left_at, end.inferred):
            return False
        self.changes.events.append(
            VisitInferred(new_id(), visit.gym_id, visit.id, member_id, end.inferred, end.left_at, entered_at)
        )
        return True

    def _collect_open(self, stays: Sequence[Stay], stored: Mapping[Stay, StoredVisit]) -> None:
        """Collect how the member's open visit changes, and the machine that they continue to use."""
        last = stays[-1] if stays else self._earlier
        visit = self._before if last is self._earlier else stored.get(last) if last is not None else None
        if last is None or last.end is not None or visit is None:
            return  # nobody is inside, or by a new visit
        entered_at = last.opener.at if last.opener is not None else visit.values.entered_at
        open_visit = OpenVisit(visit.id, visit.gym_id, entered_at)
        if visit.values.left_at is not None:
            self.changes.reopened = open_visit
            self._resume_use(visit.id, visit.values.left_at)
        elif visit.values.entered_at != entered_at:
            self.changes.moved = open_visit

    def _end_use(self, visit_id: UUID, why: UseEnded) -> None:
        use = self._history.uses.get(visit_id)
        if use is not None:
            ended = EndedUse(use, self._now, why)
            self.changes.ended_uses.append(ended)
            self.changes.events.append(freed(ended))

    def _resume_use(self, visit_id: UUID, left_at: datetime) -> None:
        """Resume the use that ended with a visit which continues, if its machine and the member are free.

        Args:
            left_at: when the visit had ended; after an uploaded exit, that is before the use ended.
        """
        past = next(
            (past for past in self._history.past_uses if past.use.visit_id == visit_id and past.ended_at >= left_at),
            None,
        )
        if past is None or not past.works:
            return
        ended = {end.use.use_id for end in self.changes.ended_uses}
        using = {use.use_id for use in self._history.uses.values()}
        in_use = set() if past.replaced_by is None else {past.replaced_by}
        if (using | in_use) <= ended:
            use = self.changes.resumed_use = past.use
            self.changes.events.append(
                MachineUseResumed(
                    new_id(), use.gym_id, use.machine_id, use.use_id, use.member_id, use.started_at, self._now
                )
            )


def _published(values: VisitValues) -> tuple[object, ...]:
    """What the events say of a visit."""
    return values.entered_at, values.left_at, values.inferred


def _earlier_stay(before: StoredVisit | None, groups: Mapping[UUID, UUID]) -> Stay | None:
    """The stay that is open when the facts begin."""
    if before is None:
        return None
    opener = before.values.entered_scan
    return Stay(before.gym_id, groups.get(opener) if opener is not None else None)


def _lasts_until(visit: StoredVisit, begin: datetime) -> bool:
    """Whether a visit began before a moment and lasted until then."""
    values = visit.values
    return values.entered_at < begin and (values.left_at is None or values.left_at >= begin)
