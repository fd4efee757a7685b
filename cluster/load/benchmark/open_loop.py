"""Open loops: requests are sent at a steady rate, however fast they are answered.

In a closed loop a stack that stalls receives fewer requests meanwhile, so that the stall hardly shows. Here every
request has its time; one that had to wait for its turn is counted from when it was due (coordinated omission).
"""

from cluster.load.benchmark.measured_stack import MeasuredStack
from cluster.load.benchmark.noop import FASTAPI, LEAN
from cluster.load.benchmark.traffic import ScanTraffic
from cluster.load.figures import Figures, ratio
from cluster.load.generator import JobResult

LANES = 256
_WARM_UP_S = 2.0
_PROBE_CONNECTIONS = 128


def greatest_rate(stack: MeasuredStack, traffic: ScanTraffic) -> float:
    """Scans a second in a closed loop with many connections."""
    stack.status.update(f"the greatest rate of scans, with {_PROBE_CONNECTIONS} connections")
    return traffic.measure(_PROBE_CONNECTIONS, stack.seconds).rate.per_second


def measure_open_loop(stack: MeasuredStack, traffic: ScanTraffic, greatest: float) -> Figures:
    """Send both no-ops and scans at half of the greatest rate of scans a second."""
    rate = max(1.0, greatest / 2)
    noop, lean = (stack.offer_noop(name, rate, LANES) for name in (FASTAPI, LEAN))
    stack.status.update(f"open loop: {rate:.0f} scans/s")
    scans, _ = offer_scans(stack, traffic, rate)
    return {
        "greatest_scan_rps": round(greatest, 1),
        "offered_rps": round(rate, 1),
        "seconds": stack.seconds,
        "lanes": LANES,
        "noop": noop,
        "lean_noop": lean,
        "scans": scans,
        "p99_ratio": round(ratio(scans["p99_ms"], noop["p99_ms"]), 2),
        "lean_p99_ratio": round(ratio(scans["p99_ms"], lean["p99_ms"]), 2),
    }


def offer_scans(
    stack: MeasuredStack, traffic: ScanTraffic, rate: float, *, warm_up: bool = True
) -> tuple[Figures, JobResult]:
    """Send scans at a steady rate, after a short warm-up."""
    if warm_up:
        traffic.offer(rate, LANES, _WARM_UP_S)
    return traffic.offer(rate, LANES, stack.seconds)
