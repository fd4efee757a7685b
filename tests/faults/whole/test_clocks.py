"""Devices whose clocks are two minutes off."""

from collections import defaultdict
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from domain.door.model import Outcome, Reason
from domain.tables import scans
from tests.faults.figures import Figures
from tests.faults.whole.system import Whole

pytestmark = pytest.mark.timeout(600)


def test_the_servers_clock_decides_whatever_a_device_says(whole: Whole, figures: Figures) -> None:
    with whole.doors() as doors:
        doors.wait_decided(doors.began_at, 300)
    figures.of(doors, doors.began_at, doors.ended_at)
    whole.assert_nothing_lost(doors)
    with whole.store.reading() as connection:
        asked = select(scans.c.scan_id, scans.c.scanned_at, scans.c.arrived_at)
        kept = {row.scan_id: row for row in connection.execute(asked)}
    outcomes: dict[int, set[Outcome | Reason]] = defaultdict(set)
    for one in doors.decided:
        row = kept[one.scan.body["scan_id"]]
        said: datetime = row.scanned_at
        minutes_off = round((said - row.arrived_at) / timedelta(minutes=1))
        assert abs(said - row.arrived_at - timedelta(minutes=minutes_off)) < timedelta(seconds=20)
        outcomes[minutes_off].add(one.answer.reason or one.answer.outcome)
    assert outcomes.keys() == {-2, 0, 2}
    for told in outcomes.values():
        assert {Outcome.ENTERED, Outcome.LEFT} <= told
        assert Reason.EXPIRED_PASS not in told
