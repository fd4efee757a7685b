"""The token bucket of a device."""

import pytest

from deployments.http.rate_limits import RateLimit
from domain.ids import new_id


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_second_s_worth_at_once_then_as_fast_as_it_fills() -> None:
    seconds = Seconds()
    limit, device = RateLimit(10, clock=seconds), new_id()
    assert [limit.take(device) for _ in range(10)] == [0.0] * 10
    assert 0 < limit.take(device) <= 0.1
    seconds.now += 0.1
    assert limit.take(device) == 0.0
    assert limit.take(device) > 0
    seconds.now += 100
    assert [limit.take(device) for _ in range(10)] == [0.0] * 10
    assert limit.take(device) > 0


def test_less_than_one_a_second_still_lets_one_through() -> None:
    seconds = Seconds()
    limit, device = RateLimit(0.5, clock=seconds), new_id()
    assert limit.take(device) == 0.0
    assert limit.take(device) == 2.0
    seconds.now += 2
    assert limit.take(device) == 0.0


def test_devices_do_not_share_and_memory_is_bounded() -> None:
    seconds = Seconds()
    limit = RateLimit(1, room=100, clock=seconds)
    for _ in range(1000):
        seconds.now += 0.1
        assert limit.take(new_id()) == 0.0
    assert len(limit._buckets) <= 101  # noqa: SLF001 - that it is bounded cannot be seen from outside


def test_more_than_a_bucket_holds_is_a_debt() -> None:
    seconds = Seconds()
    limit, device = RateLimit(10, clock=seconds), new_id()
    assert limit.take(device, 25) == 0.0
    assert limit.take(device) == pytest.approx(1.6)
    assert limit.wait_s(new_id()) == 0.0
    seconds.now += 1.6
    assert limit.take(device) == 0.0


def test_debts_are_remembered_when_full_buckets_are_thrown_away() -> None:
    seconds = Seconds()
    limit, device = RateLimit(1, room=100, clock=seconds), new_id()
    limit.charge(device, 1000)
    for _ in range(500):
        seconds.now += 0.1
        limit.take(new_id())
    assert limit.wait_s(device) == pytest.approx(950)
    assert len(limit._buckets) <= 101  # noqa: SLF001 - that it is bounded cannot be seen from outside
