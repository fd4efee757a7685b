"""Latency is counted from when a request was due."""

import pytest

from cluster.load.benchmark.open_loop import offered
from cluster.load.job import Answer, Driven


def test_a_request_that_waited_for_its_lane_has_waited() -> None:
    lane = [Answer(0.0, 0.5, 200, b""), Answer(0.5, 0.01, 200, b"", late=0.4), Answer(0.51, 0.01, 200, b"", late=0.31)]
    found = offered(Driven(0.0, 0.2, 0.0, [lane, [Answer(0.05, 0.002, 200, b"")]], ran_out=False), errors=0)
    assert (found.asked, found.errors) == (4, 0)
    assert (found.p50_ms, found.p99_ms, found.most_ms) == pytest.approx((320.0, 500.0, 500.0))
    assert found.late_share == 0.5


def test_nothing_sent_is_nothing() -> None:
    found = offered(Driven(0.0, 1.0, 0.0, [[]], ran_out=False), errors=3)
    assert (found.asked, found.p99_ms, found.errors) == (0, 0.0, 3)
