"""Open loops: requests are sent at a steady rate, however fast they are answered.

In a closed loop a stack that stalls receives fewer requests meanwhile, so that the stall hardly shows. Here every
request has its time; one that had to wait for its turn is counted from when it was due (coordinated omission).
"""

from dataclasses import dataclass
from typing import Any

from cluster.load.benchmark.measured_stack import MeasuredStack
from cluster.load.benchmark.measurements import Offered, offered
from cluster.load.benchmark.noop import FASTAPI, LEAN
from cluster.load.benchmark.traffic import ScanTraffic
from cluster.load.figures import ratio
from cluster.load.generator import Driven

LANES = 256
_WARM_UP_S = 2.0
_PROBE_CONNECTIONS = 128


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """Both no-ops and scans at half of the greatest rate of scans.

    Args:
        greatest: scans a second in a closed loop.
        rate: requests a second that were sent.
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
        return self.scans.is_good and self.noop.is_good and self.lean_noop.is_good

    def as_json(self) -> dict[str, Any]:
        """All figures, and a scan's p99 divided by that of each no-op."""
        return {
            "greatest_scan_rps": round(self.greatest, 1),
            "offered_rps": round(self.rate, 1),
            "seconds": self.seconds,
            "lanes": LANES,
            "noop": self.noop.as_json(),
            "lean_noop": self.lean_noop.as_json(),
            "scans": self.scans.as_json(),
            "p99_ratio": round(ratio(self.scans.p99_ms, self.noop.p99_ms), 2),
            "lean_p99_ratio": round(ratio(self.scans.p99_ms, self.lean_noop.p99_ms), 2),
        }


def greatest_rate(stack: MeasuredStack, traffic: ScanTraffic) -> float:
    """Scans a second in a closed loop with many connections."""
    stack.progress.step(f"the greatest rate of scans, with {_PROBE_CONNECTIONS} connections")
    return traffic.measure(_PROBE_CONNECTIONS, stack.seconds).rate.per_second


def measure_open_loop(stack: MeasuredStack, traffic: ScanTraffic, greatest: float) -> OpenLoop:
    """Send both no-ops and scans at half of the greatest rate."""
    rate = max(1.0, greatest / 2)
    noop, lean = (stack.offer_noop(name, rate, LANES) for name in (FASTAPI, LEAN))
    stack.progress.step(f"open loop: {rate:.0f} scans/s")
    return OpenLoop(greatest, rate, stack.seconds, noop, lean, offer_scans(stack, traffic, rate)[0])


def offer_scans(
    stack: MeasuredStack, traffic: ScanTraffic, rate: float, *, warm_up: bool = True
) -> tuple[Offered, Driven]:
    """Send scans at a steady rate, after a short warm-up."""
    if warm_up:
        traffic.offer(rate, LANES, _WARM_UP_S)
    measured, checked = traffic.offer(rate, LANES, stack.seconds)
    return offered(measured.driven, checked.errors, checked.wrong), measured.driven
