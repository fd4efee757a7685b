"""What gates have accepted lately, and which codes have been used. It is read after the locks."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from domain.door.model import Outcome
from domain.door.state import AcceptedScan
from domain.door.timeline import occurred_at
from domain.literals import id_literal, id_literals, instant_literal, pairs_literal, read_id, read_instant
from domain.passes import GOOD_BEFORE

RECENT = timedelta(seconds=60)  # longer than a code lives, 55 s, and than the window of a phone held up
_GOOD_BEFORE = GOOD_BEFORE + timedelta(seconds=1)

ShownCode = tuple[UUID, datetime]  # a member and the issue time of their code


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was accepted of a set of members.

    Args:
        last: of each member within the last minute; of scans that were given one answer, the first that stands.
        left_by: the codes that let somebody out within the last minute.
            Of codes that are good for longer: at any time at which they were.
        entered_by: those of the shown codes that belong to a visit that stands, whenever that was.
        last_entry: when members with a long-lived pass have last entered, by any code, since that pass was issued.
    """

    last: dict[UUID, AcceptedScan]
    left_by: set[ShownCode]
    entered_by: set[ShownCode]
    last_entry: dict[UUID, datetime]


class AcceptedScans:
    """Accepted scans of members, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(
        self,
        members: Collection[UUID],
        codes: Collection[ShownCode],
        now: datetime,
        window: timedelta,
        long_lived: Mapping[ShownCode, timedelta],
    ) -> Accepted:
        """What was accepted of these members lately, and by these codes ever; annulled scans left out.

        A code is used by each scan that was given an entry's answer. The first one's stands with its visit; the others'
        are found by the time in which they were good.

        Args:
            members: whose scans are asked for.
            codes: those that are shown.
            now: the present.
            window: how long an answer is given again to a phone held up.
            long_lived: those of the codes that are good for longer than others, and for how long.
        """
        found = Accepted({}, set(), set(), {})
        if not members:
            return found
        # Two windows: the scan that was answered first lies one before the last that is given its answer.
        since = now - max(RECENT, 2 * window)
        rows = self._connection.exec_driver_sql(
            "SELECT id, member_id, gate_id, outcome, decided_at, pass_issued_at, occupancy, capacity, visit_id,"  # noqa: S608
            f" repeats_id FROM scans WHERE member_id IN ({id_literals(members)})"
            f" AND decided_at > {instant_literal(since)}"
            " AND outcome <> 'refused' AND annulled_at IS NULL AND offline IS NULL"
            + self._or_by_codes(codes)
            + self._or_by_repeats([code for code in codes if code[1] < since + _GOOD_BEFORE])
        ).all()
        lately = []
        for row in rows:
            member_id, issued_at = UUID(bytes=row[1]), read_instant(row[5])
            if row[3] is None:
                if issued_at is not None:
                    found.entered_by.add((member_id, issued_at))
                continue
            if issued_at is not None:
                (found.left_by if row[3] == Outcome.LEFT else found.entered_by).add((member_id, issued_at))
            lately.append((read_instant(row[4]), row[0], member_id, issued_at, row))
        for decided_at, id_, member_id, issued_at, row in sorted(lately, key=lambda scan: scan[:2]):
            assert decided_at is not None  # noqa: S101 - the column is not null
            first_id = read_id(row[9]) or UUID(bytes=id_)
            last = found.last.get(member_id)
            if last is not None and last.id == first_id:
                continue  # the same answer, given again
            found.last[member_id] = AcceptedScan(
                first_id,
                UUID(bytes=row[2]),
                Outcome(row[3]),
                decided_at,
                issued_at,
                row[6],
                row[7],
                read_id(row[8]),
            )
        self._add_long_lived(found, long_lived)
        return found

    def _add_long_lived(self, found: Accepted, codes: Mapping[ShownCode, timedelta]) -> None:
        """What codes of a longer life have done in it, and whether another has let the member in meanwhile.

        Uploads count as well: an upload that made no visit has let somebody through all the same.
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
                (found.left_by if has_left else found.entered_by).add((member_id, issued_at))
            if not has_left:
                happened_at = occurred_at(read_instant(row[5]), issued_at, arrived_at) if row[4] else decided_at
                found.last_entry[member_id] = max(happened_at, found.last_entry.get(member_id, happened_at))

    def _or_by_codes(self, codes: Collection[ShownCode]) -> str:
        if not codes:
            return ""
        among = pairs_literal(
            self._connection, [f"({id_literal(member)},{instant_literal(issued_at)})" for member, issued_at in codes]
        )
        return (
            " UNION ALL SELECT id, member_id, NULL, NULL, NULL, pass_issued_at, NULL, NULL, NULL, NULL"  # noqa: S608
            f" FROM visits WHERE (member_id, pass_issued_at) IN {among}"
        )

    def _or_by_repeats(self, codes: Collection[ShownCode]) -> str:
        """Codes too old to be found among what was accepted lately."""
        if not codes:
            return ""
        good = [
            f"(member_id = {id_literal(member)} AND pass_issued_at = {instant_literal(issued_at)}"
            f" AND decided_at BETWEEN {instant_literal(issued_at - _GOOD_BEFORE)}"
            f" AND {instant_literal(issued_at + 2 * RECENT)})"
            for member, issued_at in codes
        ]
        return (
            " UNION ALL SELECT id, member_id, NULL, NULL, NULL, pass_issued_at, NULL, NULL, NULL, NULL"  # noqa: S608
            f" FROM scans WHERE ({' OR '.join(good)})"
            " AND outcome = 'entered' AND repeats_id IS NOT NULL AND annulled_at IS NULL AND offline IS NULL"
        )
