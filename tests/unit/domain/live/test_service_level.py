"""What scans say of the service at the doors."""

from datetime import timedelta
from uuid import UUID

from domain.ids import new_id
from domain.live.service_level import DeviceInUse, ScanTiming, ScanWindow, ServiceLevel, level_of, quantile
from tests.world import START

GATE, DEVICE = new_id(), new_id()
SINCE, NOW = START - timedelta(hours=1), START


def scan(
    ms: float,
    *,
    ago_s: float = 1,
    reason: str | None = None,
    skew_ms: float | None = None,
    offline: bool = False,
    asked_by: UUID = DEVICE,
) -> ScanTiming:
    arrived = NOW - timedelta(seconds=ago_s)
    scanned = None if skew_ms is None else arrived + timedelta(milliseconds=skew_ms)
    outcome = "refused" if reason else "entered"
    decided = arrived + timedelta(milliseconds=ms)
    return ScanTiming(GATE, asked_by, outcome, reason, scanned, arrived, decided, offline)


def level(*timings: ScanTiming, devices: tuple[DeviceInUse, ...] = ()) -> ServiceLevel:
    return level_of(ScanWindow(new_id(), SINCE, NOW, 100, limited=False), timings, devices)


def test_quantiles_are_values_that_there_were() -> None:
    assert quantile([], 0.5) is None
    assert quantile([7], 0.95) == 7
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile(list(range(1, 101)), 0.95) == 95


def test_outcomes_reasons_and_times_are_counted() -> None:
    found = level(scan(10), scan(20), scan(30, reason="gym_full"))
    assert found.outcomes == {"entered": 2, "refused": 1}
    assert found.reasons == {"gym_full": 1}
    assert (found.p50_ms, found.p95_ms, found.scans) == (20, 30, 3)
    [gate] = found.gates
    assert (gate.scans, gate.refused, gate.p50_ms) == (3, 1, 20)


def test_what_was_scanned_offline_says_nothing_of_times_and_clocks() -> None:
    device = DeviceInUse(DEVICE, "Reader", GATE, "Door", None, 42)
    found = level(scan(10), scan(3_600_000, offline=True, skew_ms=-3_600_000), devices=(device,))
    assert (found.scans, found.p95_ms) == (2, 10)
    assert found.devices[0].clock_skew_ms == 42, "what is kept of the device counts where no scan says it"


def test_a_device_s_clock_is_told_by_the_median_and_a_silent_one_is_named() -> None:
    silent = DeviceInUse(new_id(), "Old reader", GATE, "Door", NOW - timedelta(minutes=2), None)
    never = DeviceInUse(new_id(), "New reader", GATE, "Door", None, None)
    device = DeviceInUse(DEVICE, "Reader", GATE, "Door", NOW - timedelta(minutes=5), None)
    scans = [scan(10, ago_s=30, skew_ms=skew) for skew in (900, 1000, 99_000)]
    found = level(*scans, devices=(device, silent, never))
    assert [one.silent for one in found.devices] == [False, True, True]
    assert found.devices[0].clock_skew_ms == 1000
    assert found.devices[0].last_seen_at == NOW - timedelta(seconds=30)
    assert found.silent_devices == 2
    assert found.gates[0].name == "Door"
