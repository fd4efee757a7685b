"""Scans and no-ops offered steadily at half the greatest rate, whatever becomes of them (open loop).

In a closed loop a stack that stalls is asked less meanwhile, so that the stall hardly shows. Here every request has its
time; a request that had to wait for its turn is counted from when it was due (coordinated omission).
"""

from dataclasses import dataclass
from typing import Any

from cluster.load.benchmark.measurements import percentile, ratio
from cluster.load.benchmark.noop import FASTAPI, LEAN
from cluster.load.benchmark.rig import Rig
from cluster.load.benchmark.traffic import ScanRuns
from cluster.load.job import Driven
from cluster.load.schedule import late_share, steady

LANES = 256
_WARM_UP_S = 2.0
_PROBED_WITH = 128  # connections, where the greatest rate is not known yet


@dataclass(frozen=True, slots=True)
class Offered:
    """What became of requests that were sent by a schedule.

    Args:
        asked: how many were sent.
        p50_ms, p99_ms, most_ms: from when each was due to its answer.
        late_share: of the requests, those that were sent well after they were due; 0 to 1.
        errors: anything but the answer that was expected.
    """

    asked: int
    p50_ms: float
    p99_ms: float
    most_ms: float
    late_share: float
    errors: int
    wrong: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "asked": self.asked,
            "p50_ms": round(self.p50_ms, 2),
            "p99_ms": round(self.p99_ms, 2),
            "most_ms": round(self.most_ms, 2),
            "late_share": round(self.late_share, 4),
            "errors": self.errors,
            "wrong_answers": self.wrong,
        }


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """One rate, offered to both no-ops and to the door.

    Args:
        greatest: scans a second, of which half is offered.
        rate: requests a second that were offered.
    """

    greatest: float
    rate: float
    seconds: float
    noop: Offered
    lean_noop: Offered
    scans: Offered

    @property
    def is_good(self) -> bool:
        """Whether every answer came and was right."""
        return not (self.scans.wrong or self.scans.errors or self.noop.errors or self.lean_noop.errors)

    @property
    def p99_ratio(self) -> float:
        """A scan's p99 for a no-op's of FastAPI."""
        return ratio(self.scans.p99_ms, self.noop.p99_ms)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "greatest_scan_rps": round(self.greatest, 1),
            "offered_rps": round(self.rate, 1),
            "seconds": self.seconds,
            "lanes": LANES,
            "noop": self.noop.as_json(),
            "lean_noop": self.lean_noop.as_json(),
            "scans": self.scans.as_json(),
            "p99_ratio": round(self.p99_ratio, 2),
            "lean_p99_ratio": round(ratio(self.scans.p99_ms, self.lean_noop.p99_ms), 2),
        }


def measure_open_loop(rig: Rig, runs: ScanRuns, greatest: float | None) -> OpenLoop:
    """Offer half the greatest rate.

    Args:
        greatest: scans a second; measured first where it is not known.
    """
    if greatest is None:
        rig.watcher.now(f"open loop: the greatest rate, with {_PROBED_WITH} connections")
        greatest = runs.measure(_PROBED_WITH, rig.seconds).rate.per_second
    rate = max(1.0, greatest / 2)
    noop, lean = (_offer_noop(rig, name, rate) for name in (FASTAPI, LEAN))
    rig.watcher.now(f"open loop: {rate:.0f} scans/s")
    runs.offer(rate, LANES, _WARM_UP_S)
    measured, checked = runs.offer(rate, LANES, rig.seconds)
    scans = offered(measured.driven, checked.errors, checked.wrong)
    return OpenLoop(greatest, rate, rig.seconds, noop, lean, scans)


def _offer_noop(rig: Rig, name: str, rate: float) -> Offered:
    rig.watcher.now(f"open loop: {rate:.0f} {name}/s")
    for seconds in (_WARM_UP_S, rig.seconds):
        due = steady(rate, round(rate * seconds), LANES)
        measured, errors = rig.offer_noop(name, due, seconds)
    return offered(measured.driven, errors)


def offered(driven: Driven, errors: int, wrong: int = 0) -> Offered:
    """The figures of what was sent by a schedule, all of it, however late it was answered."""
    answers = [answer for lane in driven.lanes for answer in lane]
    latencies = sorted(answer.latency * 1000 for answer in answers)
    return Offered(
        asked=len(answers),
        p50_ms=percentile(latencies, 0.50),
        p99_ms=percentile(latencies, 0.99),
        most_ms=latencies[-1] if latencies else 0.0,
        late_share=late_share([answer.late for answer in answers]),
        errors=errors,
        wrong=wrong,
    )
