"""Devices whose clocks are two minutes off."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from domain.door.model import Outcome, Reason
from domain.door.tables import scans
from tests.faults.figures import Figures
from tests.faults.full_stack.full_stack import Whole, doors_of
from tests.faults.gyms import load
from tests.faults.scanning_devices import clock_off

pytestmark = [pytest.mark.soak("replicas"), pytest.mark.timeout(900)]

# This test's clock and the server's are one; what a database keeps of a time is not all of it.
ROUNDED = timedelta(seconds=0.1)


def test_the_servers_clock_decides_whatever_a_device_says(whole: Whole, figures: Figures) -> None:
    with whole.store.writing() as connection:  # with room: the others may have been filled by the tests before
        gyms = load(connection, datetime.now(UTC), capacity=400)
    with doors_of(whole.stack, gyms) as doors:
        doors.wait_decided(doors.began_at, 300)
    figures.of(doors, doors.began_at, doors.ended_at)
    whole.assert_nothing_lost(doors)
    with whole.store.reading() as connection:
        asked = select(scans.c.scan_id, scans.c.scanned_at, scans.c.arrived_at)
        kept = {row.scan_id: row for row in connection.execute(asked)}
    outcomes: dict[timedelta, set[Outcome | Reason]] = defaultdict(set)
    for one in doors.decided:
        row, off = kept[one.scan.body["scan_id"]], clock_off(gyms.devices, one.scan.device)
        on_its_way = row.arrived_at - (row.scanned_at - off)
        assert -ROUNDED <= on_its_way <= timedelta(seconds=one.took_s) + ROUNDED
        outcomes[off].add(one.answer.reason or one.answer.outcome)
    assert outcomes.keys() == {timedelta(minutes=minutes) for minutes in (-2, 0, 2)}
    for told in outcomes.values():
        assert {Outcome.ENTERED, Outcome.LEFT} <= told
        assert Reason.EXPIRED_PASS not in told
