"""Loads which scans gates accepted recently and which codes were used, for a batch of scans.

The statements are SQL text with literals, because they are on the path of a scan (domain/sql_literals.py).
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from domain.door.model import Outcome, ScanRequest
from domain.door.state import AcceptedScan, RecentScans, ShownCode
from domain.door.timeline import occurred_at
from domain.passes import GOOD_BEFORE
from domain.sql_literals import id_literal, id_literals, instant_literal, pairs_literal, read_id, read_instant

RECENT = timedelta(seconds=60)  # longer than a code is valid (55 s) and than the default window of repeated answers
_GOOD_BEFORE = GOOD_BEFORE + timedelta(seconds=1)


class RecentScanRepository:
    """Accepted scans of members."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def load(
        self, requests: Iterable[ScanRequest], members: Collection[UUID], now: datetime, repeat_window: timedelta
    ) -> RecentScans:
        """Load accepted scans of members and the earlier uses of the shown codes; annulled scans are left out.

        Every scan with an entry's answer uses its code. The code of the first one is stored with the visit; the others
        are found by the time in which the code was valid.

        Args:
            members: members of the requests that exist.
            repeat_window: how long an answer is given again.
        """
        recent = RecentScans()
        if not members:
            return recent
        codes: set[ShownCode] = set()
        long_lived: dict[ShownCode, timedelta] = {}
        for request in requests:
            member_id, issued_at = request.reading.member_id, request.reading.issued_at
            if member_id is not None and member_id in members and issued_at is not None:
                codes.add((member_id, issued_at))
                if request.reading.validity is not None:
                    long_lived[member_id, issued_at] = request.reading.validity
        # Twice the window: the first scan with an answer may be one window older than the last scan that repeats it.
        since = now - max(RECENT, 2 * repeat_window)
        rows = self._connection.exec_driver_sql(
            "SELECT id, member_id, gate_id, outcome, decided_at, pass_issued_at, occupancy, capacity, visit_id,"  # noqa: S608
            f" repeats_id FROM scans WHERE member_id IN ({id_literals(members)})"
            f" AND decided_at > {instant_literal(since)}"
            " AND outcome <> 'refused' AND annulled_at IS NULL AND offline IS NULL"
            + self._or_visits_of(codes)
            + self._or_repeats_of([code for code in codes if code[1] < since + _GOOD_BEFORE])
        ).all()
        _collect(rows, recent)
        self._add_long_lived(long_lived, recent)
        return recent

    def _or_visits_of(self, codes: Collection[ShownCode]) -> str:
        if not codes:
            return ""
        among = pairs_literal(
            self._connection, [f"({id_literal(member)},{instant_literal(issued_at)})" for member, issued_at in codes]
        )
        return (
            " UNION ALL SELECT id, member_id, NULL, NULL, NULL, pass_issued_at, NULL, NULL, NULL, NULL"  # noqa: S608
            f" FROM visits WHERE (member_id, pass_issued_at) IN {among}"
        )

    def _or_repeats_of(self, codes: Collection[ShownCode]) -> str:
        """Repeated entries by codes that are too old to be among the recent scans."""
        if not codes:
            return ""
        valid = [
            f"(member_id = {id_literal(member)} AND pass_issued_at = {instant_literal(issued_at)}"
            f" AND decided_at BETWEEN {instant_literal(issued_at - _GOOD_BEFORE)}"
            f" AND {instant_literal(issued_at + 2 * RECENT)})"
            for member, issued_at in codes
        ]
        return (
            " UNION ALL SELECT id, member_id, NULL, NULL, NULL, pass_issued_at, NULL, NULL, NULL, NULL"  # noqa: S608
            f" FROM scans WHERE ({' OR '.join(valid)})"
            " AND outcome = 'entered' AND repeats_id IS NOT NULL AND annulled_at IS NULL AND offline IS NULL"
        )

    def _add_long_lived(self, codes: Mapping[ShownCode, timedelta], recent: RecentScans) -> None:
        """Add the uses of long-lived codes, and the members' entries by any code, during the codes' validity.

        Offline scans count too: even one that made no visit let somebody through.
        """
        if not codes:
            return
        times = [
            f"(member_id = {id_literal(member)} AND decided_at BETWEEN {instant_literal(issued_at - _GOOD_BEFORE)}"
            f" AND {instant_literal(issued_at + validity + 2 * RECENT)})"
            for (member, issued_at), validity in codes.items()
        ]
        for row in self._connection.exec_driver_sql(
            "SELECT member_id, pass_issued_at, outcome, decided_at, offline, scanned_at, arrived_at FROM scans"  # noqa: S608
            f" WHERE ({' OR '.join(times)}) AND outcome <> 'refused' AND annulled_at IS NULL"
        ):
            member_id, issued_at, decided_at = UUID(bytes=row[0]), read_instant(row[1]), read_instant(row[3])
            arrived_at = read_instant(row[6])
            assert decided_at is not None and arrived_at is not None  # noqa: PT018, S101 - the columns are not null
            has_left = row[2] == Outcome.LEFT
            if issued_at is not None and (member_id, issued_at) in codes:
                (recent.left_by if has_left else recent.entered_by).add((member_id, issued_at))
            if not has_left:
                entered_at = occurred_at(read_instant(row[5]), issued_at, arrived_at) if row[4] else decided_at
                recent.last_entry[member_id] = max(entered_at, recent.last_entry.get(member_id, entered_at))


def _collect(rows: Iterable[Row[*tuple[Any, ...]]], recent: RecentScans) -> None:
    """Sort rows into used codes and, by member, the last accepted scan."""
    accepted = []
    for row in rows:
        member_id, issued_at = UUID(bytes=row[1]), read_instant(row[5])
        if issued_at is not None:
            has_left = row[3] == Outcome.LEFT
            (recent.left_by if has_left else recent.entered_by).add((member_id, issued_at))
        if row[3] is not None:  # a recent scan; the other rows only name a used code
            accepted.append((read_instant(row[4]), row[0], member_id, issued_at, row))
    for decided_at, id_, member_id, issued_at, row in sorted(accepted, key=lambda scan: scan[:2]):
        assert decided_at is not None  # noqa: S101 - the column is not null
        first_id = read_id(row[9]) or UUID(bytes=id_)
        last = recent.last.get(member_id)
        if last is not None and last.id == first_id:
            continue  # a repetition of the same answer
        recent.last[member_id] = AcceptedScan(
            first_id, UUID(bytes=row[2]), Outcome(row[3]), decided_at, issued_at, row[6], row[7], read_id(row[8])
        )
