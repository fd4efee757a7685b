"""When each request of an open loop is to be sent."""

from collections.abc import Sequence


def steady(rate: float, requests: int, lanes: int) -> list[list[float]]:
    """Requests at even distances, dealt out to the lanes in turn.

    Args:
        rate: requests a second over all lanes.
        requests: how many in all.
        lanes: how many connections; the request at place n belongs to lane n % lanes.

    Returns:
        For each lane the seconds after the beginning, ascending.
    """
    return [[place / rate for place in range(lane, requests, lanes)] for lane in range(lanes)]


def at_once(lanes: Sequence[Sequence[object]]) -> list[list[float]]:
    """All are due from the beginning: each lane sends one after the other, and none is left out."""
    return [[0.0] * len(lane) for lane in lanes]


def late_share(late: Sequence[float], tolerated_s: float = 0.005) -> float:
    """Which share of the requests was sent late: their lane still waited, or the processors were busy with others.

    Args:
        late: seconds between due and sent, of each.
    """
    return sum(seconds > tolerated_s for seconds in late) / len(late) if late else 0.0
