"""The service level of a gym's doors: decision times, refusals, silent devices."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from statistics import median
from typing import NamedTuple
from uuid import UUID

SILENT_AFTER = timedelta(minutes=1)
_MILLISECOND = timedelta(milliseconds=1)


class ScanTiming(NamedTuple):
    """The times and the outcome of a decided scan. `scanned_at` is by its device's clock."""

    gate_id: UUID
    asked_by: UUID
    outcome: str
    reason: str | None
    scanned_at: datetime | None
    arrived_at: datetime
    decided_at: datetime
    offline: bool


class DeviceInUse(NamedTuple):
    """A device that is not revoked, and when it was last seen."""

    id: UUID
    name: str
    gate_id: UUID
    gate_name: str
    last_seen_at: datetime | None
    clock_skew_ms: int | None


@dataclass(frozen=True, slots=True)
class GateLevel:
    """One gate. Times are from the arrival of a scan to its decision; None without a scan."""

    gate_id: UUID
    name: str | None
    scans: int
    refused: int
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class DeviceLevel:
    """One device. A positive skew means a fast clock. `silent`: not seen for a minute."""

    id: UUID
    name: str
    gate_id: UUID
    gate_name: str
    last_scan_at: datetime | None
    last_seen_at: datetime | None
    clock_skew_ms: float | None
    silent: bool


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """The service level of a gym over a period.

    Args:
        since, as_of: the period.
        scans: number of scans, including offline ones, which do not count in times and clocks.
        at_most: only so many of the newest scans were read.
        limited: there were more.
        outcomes, reasons: the number of each.
        p50_ms, p95_ms: from arrival to decision.
        silent_devices: their number.
    """

    gym_id: UUID
    since: datetime
    as_of: datetime
    scans: int
    at_most: int
    limited: bool
    outcomes: dict[str, int]
    reasons: dict[str, int]
    p50_ms: float | None
    p95_ms: float | None
    gates: tuple[GateLevel, ...]
    devices: tuple[DeviceLevel, ...]
    silent_devices: int


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that a share of all values does not exceed; None without values."""
    if not values:
        return None
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


@dataclass(frozen=True, slots=True)
class ScanWindow:
    """Which scans were read: the newest `at_most` of a gym in a period; `limited` if there were more."""

    gym_id: UUID
    since: datetime
    as_of: datetime
    at_most: int
    limited: bool


def level_of(window: ScanWindow, timings: Sequence[ScanTiming], devices: Sequence[DeviceInUse]) -> ServiceLevel:
    """The service level.

    Args:
        window: which scans were read.
        timings: newest first.
        devices: those in use.
    """
    waited = [one for one in timings if not one.offline]
    names = {device.gate_id: device.gate_name for device in devices}
    by_gate = _grouped(timings, lambda one: one.gate_id)
    by_device = _grouped(waited, lambda one: one.asked_by)
    of_devices = tuple(_device(device, by_device.get(device.id, []), window.as_of) for device in devices)
    times = _times(waited)
    return ServiceLevel(
        gym_id=window.gym_id,
        since=window.since,
        as_of=window.as_of,
        scans=len(timings),
        at_most=window.at_most,
        limited=window.limited,
        outcomes=dict(Counter(one.outcome for one in timings)),
        reasons=dict(Counter(one.reason for one in timings if one.reason)),
        p50_ms=quantile(times, 0.5),
        p95_ms=quantile(times, 0.95),
        gates=tuple(_gate(gate_id, names.get(gate_id), found) for gate_id, found in by_gate.items()),
        devices=of_devices,
        silent_devices=sum(device.silent for device in of_devices),
    )


def _gate(gate_id: UUID, name: str | None, found: Sequence[ScanTiming]) -> GateLevel:
    times = _times([one for one in found if not one.offline])
    refused = sum(one.reason is not None for one in found)
    return GateLevel(gate_id, name, len(found), refused, quantile(times, 0.5), quantile(times, 0.95))


def _device(device: DeviceInUse, found: Sequence[ScanTiming], now: datetime) -> DeviceLevel:
    skews = [(one.scanned_at - one.arrived_at) / _MILLISECOND for one in found if one.scanned_at is not None]
    last_scan_at = found[0].arrived_at if found else None
    last_seen_at = max(filter(None, (device.last_seen_at, last_scan_at)), default=None)
    return DeviceLevel(
        id=device.id,
        name=device.name,
        gate_id=device.gate_id,
        gate_name=device.gate_name,
        last_scan_at=last_scan_at,
        last_seen_at=last_seen_at,
        clock_skew_ms=round(median(skews), 1) if skews else device.clock_skew_ms,
        silent=last_seen_at is None or now - last_seen_at > SILENT_AFTER,
    )


def _times(found: Sequence[ScanTiming]) -> list[float]:
    return [round((one.decided_at - one.arrived_at) / _MILLISECOND, 1) for one in found]


def _grouped(found: Sequence[ScanTiming], key: Callable[[ScanTiming], UUID]) -> Mapping[UUID, list[ScanTiming]]:
    groups: dict[UUID, list[ScanTiming]] = {}
    for one in found:
        groups.setdefault(key(one), []).append(one)
    return groups
